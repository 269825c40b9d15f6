"""What all commands share: exit codes, errors that carry one, and lines for people.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import sys
from typing import Final

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
DAMAGED: Final = 3
INTERRUPTED: Final = 130


class CommandError(Exception):
    """A command can't do what was asked; the message says what, why and the mend."""

    def __init__(self, message: str, code: int = FAILURE) -> None:
        super().__init__(message)
        self.code = code


def log(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)
