"""Messages of another process, taken from its pipe without waiting for one that doesn't come to its end.

A process may be stopped, or be short of time, in the middle of a message that is larger than a pipe: what has come of
it is kept, and the rest is taken later.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

PATIENCE = 0.1
"""Seconds that one call waits at most for the rest of a message, as long as some of it keeps coming."""
_SIZE = struct.Struct("!i")
"""What `Connection.send` puts before a message..."""
_LONG_SIZE = struct.Struct("!Q")
"""...and, after a -1, before one of more than 2 GiB."""


class Inbox:
    """The receiving end of a pipe on which a process of this program sends. It reads only when asked: a sender that is
    too far ahead waits."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        os.set_blocking(pipe.fileno(), False)
        self._messages = self._read()
        self._moved, self._deadline = True, 0.0

    def take(self) -> Any:
        """The next message; None while it isn't whole.

        Raises EOFError once the sender has closed its end, also in the middle of a message.
        """
        # No waiting for one that was waited for in vain and stands still since then.
        self._deadline = time.monotonic() + (PATIENCE if self._moved else 0.0)
        return next(self._messages)

    def _read(self) -> Iterator[Any]:
        """Each message, and None wherever there is nothing to read yet."""
        while True:
            (size,) = _SIZE.unpack((yield from self._exactly(_SIZE.size)))
            if size == -1:
                (size,) = _LONG_SIZE.unpack((yield from self._exactly(_LONG_SIZE.size)))
            yield ForkingPickler.loads((yield from self._exactly(size)))

    def _exactly(self, size: int) -> Generator[None, None, memoryview]:
        part = memoryview(bytearray(size))
        got = 0
        while got < size:
            try:
                read = os.readv(self.pipe.fileno(), [part[got:]])
            except BlockingIOError:
                if not wait([self.pipe], max(0.0, self._deadline - time.monotonic())):
                    self._moved = False
                    yield None
                continue
            if read == 0:
                raise EOFError
            got, self._moved = got + read, True
        return part
