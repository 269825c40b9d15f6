"""Base classes of this package's errors, and the exit codes of commands."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
DAMAGED: Final = 3
INTERRUPTED: Final = 130
"""After Ctrl-C, once results so far are saved or printed."""


class MuZeroError(Exception):
    """An expected error; the message says what was expected, what it got, and how to fix it."""

    exit_code: int = FAILURE
    """Exit code of a command that it ends."""


class ConfigError(MuZeroError, ValueError):
    """A setting that is unknown, of the wrong type or out of range; the message names it and how to fix it."""

    exit_code = USAGE


class SeamError(MuZeroError, ValueError):
    """A network, a loss or a planner that was added doesn't give what its seam asks for; the message names the entry,
    its part, and what was expected of it."""
