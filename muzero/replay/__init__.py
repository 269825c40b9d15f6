"""Replay buffer: storage, prioritised sampling and the targets of a batch."""
