"""Non-blocking receiver of messages from another process, over a pipe.

A process may be stopped, or slow, in the middle of a message larger than the pipe's buffer: the part received is kept,
and the rest is read later.
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
"""Most seconds that one call waits for the rest of a message, as long as data keeps arriving."""
_SIZE = struct.Struct("!i")
"""The length prefix of `Connection.send`..."""
_LONG_SIZE = struct.Struct("!Q")
"""...and, after a -1, that of a message of more than 2 GiB."""


class Inbox:
    """The receiving end of a pipe from a process of this program. It reads only when asked, so that a sender too far
    ahead waits."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        os.set_blocking(pipe.fileno(), False)
        self._messages = self._read()
        self._moved, self._deadline = True, 0.0

    def take(self) -> Any:
        """The next message; None while it is incomplete.

        Raises EOFError once the sender has closed its end, even in the middle of a message.
        """
        # Don't wait again for a message that has made no progress since the last wait.
        self._deadline = time.monotonic() + (PATIENCE if self._moved else 0.0)
        return next(self._messages)

    def _read(self) -> Iterator[Any]:
        """Each message, and None whenever there is nothing to read yet."""
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
