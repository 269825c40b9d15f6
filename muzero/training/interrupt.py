"""Stop requests to a run: Ctrl-C, SIGTERM, or a closed terminal."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from muzero.training.processes import STOPS


class Interrupt:
    """Ctrl-C or SIGTERM once: finish the step, save and exit. Twice: exit at once.

    SIGHUP, sent when the terminal closes or its connection is lost, also requests a stop, but repeats don't count, as
    it comes from more than one sender. If it is ignored, as under `nohup`, it stays ignored.
    """

    def __init__(self) -> None:
        self.asked = False
        """Whether to save and exit."""
        self.told = False
        """Whether by a signal whose repetition means exit at once."""

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.told and number != signal.SIGHUP:
            raise KeyboardInterrupt
        self.asked, self.told = True, self.told or number != signal.SIGHUP

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heeded = [number for number in STOPS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
        old = {number: signal.signal(number, self._note) for number in heeded}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
