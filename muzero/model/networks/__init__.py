"""Torch modules only: what a latent is made of, and nothing of search, games or training."""
