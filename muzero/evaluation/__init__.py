"""Measuring agents: matches, episodes, exact tests, standings."""
