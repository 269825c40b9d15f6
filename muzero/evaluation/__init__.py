"""Evaluations of agents, as reports: matches, tournaments, single moves, episodes, suites."""
