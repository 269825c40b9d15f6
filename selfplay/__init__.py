"""Self-play, players, matches and playing strength."""
