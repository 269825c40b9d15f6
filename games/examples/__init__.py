"""Own games, each one file, to copy from."""
