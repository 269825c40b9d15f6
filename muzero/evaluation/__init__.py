"""Measurements of agents as reports: matches, tournaments, single moves, whole games, suites of them."""
