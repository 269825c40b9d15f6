"""Console output of all commands: lines for people, and an error that carries an exit code.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import shlex
import sys
from collections.abc import Iterator
from typing import TextIO

from muzero.errors import DAMAGED, FAILURE, INTERRUPTED, OK, USAGE, MuZeroError
from muzero.view.wrapping import fit

__all__ = ["DAMAGED", "FAILURE", "INTERRUPTED", "OK", "USAGE", "CommandError", "command", "log", "quoted",
           "reader_left", "reader_may_leave", "silence", "tell"]


class CommandError(MuZeroError):
    """A command can't do what was requested; the message says what, why and how to fix it."""

    def __init__(self, message: str, code: int = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = code


def log(text: str) -> None:
    """Print a line for people to stderr. Errors are ignored, as no result depends on it."""
    try:
        print(fit(text, sys.stderr), file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr)


def tell(text: str, indent: int | None = None) -> None:
    """Print text of a result to stdout. indent: as in `muzero.view.wrapping.fit`."""
    print(fit(text, sys.stdout, indent), flush=True)


def command(*words: object) -> str:
    """`muzero WORDS`, quoted for a shell."""
    return shlex.join(["muzero", *map(str, words)])


def quoted(word: object) -> str:
    """One word, quoted for a shell if necessary."""
    return shlex.quote(str(word))


def silence(stream: TextIO) -> None:
    """Discard everything written to a stream that failed, including its buffer at the end of the process."""
    # An in-memory stream has no descriptor, and doesn't fail at the end.
    with contextlib.suppress(io.UnsupportedOperation):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def reader_left(stream: TextIO) -> bool:
    """True if `stream` is a pipe whose reader has gone."""
    try:
        number = stream.fileno()
    except io.UnsupportedOperation:
        return False
    watch = select.poll()
    watch.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in watch.poll(0))


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Context for printing results that are also written to files: if the reader of the output leaves, as `head` does,
    the printing ends, and the command goes on."""
    try:
        yield
    except BrokenPipeError:
        if not reader_left(sys.stdout):
            raise
        silence(sys.stdout)
