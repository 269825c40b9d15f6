"""A training run: the loop, where its games come from, pace, evaluation, reports."""
