"""Self-play, players, matches and measures of strength."""
