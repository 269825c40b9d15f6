"""How a run is asked to stop: by Ctrl-C, SIGTERM or the end of its terminal."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from muzero.training.processes import STOPS


class Interrupt:
    """Ctrl-C or SIGTERM once: finish the step, save and leave. Twice: leave at once.

    SIGHUP, which says that the terminal was closed or its connection lost, asks as well, but as often as it likes: it
    comes from more than one sender, and nobody is impatient. Where it is ignored, as under `nohup`, it stays so.
    """

    def __init__(self) -> None:
        self.asked = False
        """To be saved and left."""
        self.told = False
        """By somebody who may grow impatient."""

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
