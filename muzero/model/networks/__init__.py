"""Networks h, g, f: torch modules only, nothing of search, games or training."""
