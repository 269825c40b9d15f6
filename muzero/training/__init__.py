"""A training run: the loop, sources of games, pacing, evaluation, reports, saving."""
