"""The root of this package's errors, and the exit codes with which a command ends."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
DAMAGED: Final = 3
INTERRUPTED: Final = 130
"""By Ctrl-C, after what there was is saved or told."""


class MuZeroError(Exception):
    """What is expected to go wrong; the message says what was expected, what came and the mend."""

    exit_code: int = FAILURE
    """Of the command that it ends."""


class ConfigError(MuZeroError, ValueError):
    """A setting that is unknown, of the wrong type or out of range; the message names it and the mend."""

    exit_code = USAGE
