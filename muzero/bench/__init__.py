"""Benchmarks of speed, and the sizes that a run chooses by them."""
