"""Playing strength: matches, tournaments, ratings, positions with known values."""
