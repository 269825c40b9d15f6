"""Networks h, g, f: torch modules, independent of search, games and training."""
