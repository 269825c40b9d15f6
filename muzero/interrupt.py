"""How a run is asked to stop: by Ctrl-C or SIGTERM, also in the middle of a match."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from games.base import GameBatch, IntArray, MaskArray
from selfplay.agents import Player


class Interrupt:
    """Ctrl-C or SIGTERM once: finish the step, save and leave. Twice: leave at once."""

    def __init__(self) -> None:
        self.asked = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        old = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


class MatchLeftError(Exception):
    """A match was left because the run is to stop."""


class Watched:
    """A player who leaves the match once the run is to stop."""

    def __init__(self, player: Player, interrupt: Interrupt) -> None:
        self.player, self.interrupt, self.name = player, interrupt, player.name

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]. Raises MatchLeftError."""
        if self.interrupt.asked:
            raise MatchLeftError
        return self.player.act(games, rows)
