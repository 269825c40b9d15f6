"""Evaluations written down: as tables for a terminal and as JSON."""
