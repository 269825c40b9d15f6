"""The commands, one module each, with `run(argv) -> exit code`."""
