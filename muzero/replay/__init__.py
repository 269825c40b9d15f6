"""Replay buffer: storage, prioritised sampling and targets."""
