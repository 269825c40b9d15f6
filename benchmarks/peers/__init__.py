"""The contestants of `benchmarks/peers.py`: one adapter a file, and what they have in common."""
