"""Examples of your own games, one file each, to copy from."""
