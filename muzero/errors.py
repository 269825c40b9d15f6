"""The root of this package's errors: each carries the exit code with which a command ends."""

from __future__ import annotations


class MuZeroError(Exception):
    """What is expected to go wrong; the message says what was expected, what came and the mend."""

    exit_code = 1


class ConfigError(MuZeroError, ValueError):
    """A setting that is unknown, of the wrong type or out of range; the message names it and the mend."""

    exit_code = 2
