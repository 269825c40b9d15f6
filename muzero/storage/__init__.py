"""Runs, checkpoints and agents on disk: durable writes, and reads that treat every file as hostile."""
