"""Progress messages of long work."""

from __future__ import annotations

import time
from collections.abc import Callable

PROGRESS_SECONDS = 10.0
"""Seconds between two lines of a Ticker."""

Say = Callable[[str], None]
"""Takes a progress message: a terminal prints it, a page may send it on."""


def silent(text: str) -> None:
    """Discards the message."""


class Ticker:
    """Occasional progress lines for work that may take minutes."""

    def __init__(self, doing: str, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._doing, self._say, self._clock, self._last = doing, say, clock, clock()

    def __call__(self, done: int, whole: int = 0) -> None:
        """`done` positions so far, of `whole` if that is known."""
        self.tell(f"{done:,}" + (f" of {whole:,}" if whole else "") + " positions")

    def tell(self, text: str) -> None:
        """Report progress in words, unless something was reported recently."""
        if self._clock() - self._last >= PROGRESS_SECONDS:
            self._last = self._clock()
            self._say(f"{self._doing} {text}")
