"""Output for people: terminal and films."""
