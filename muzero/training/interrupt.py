"""How a run is asked to stop: by Ctrl-C, SIGTERM or the end of its terminal, also in a match; and how a long match is
told of meanwhile."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from games.base import NO_PLAYER, GameBatch, IntArray, MaskArray
from muzero.training.processes import STOPS
from selfplay.players import Player


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


class Reported:
    """A player whose match is told of while it goes on, at its first move and then at most every `seconds`.

    count: games of the match; limit: moves after which one of them is cut; tell: takes how far it is, in words.
    """

    def __init__(
        self, player: Player, count: int, limit: int, tell: Callable[[str], None], seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.player, self.name = player, player.name
        self._count, self._limit, self._tell, self._seconds, self._clock = count, limit, tell, seconds, clock
        self._batch: GameBatch | None = None
        self._moves = self._before = 0
        self._told = -math.inf

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]."""
        over = int((games.to_play() == NO_PLAYER).sum())
        if games is not self._batch:
            self._before += 0 if self._batch is None else self._batch.size
            self._batch = games
        if self._clock() - self._told >= self._seconds:
            self._told = self._clock()
            self._tell(f"{self._before + over:,} of {self._count:,} games over, of at most {self._limit:,} moves each, "
                       f"{self._moves:,} moves made")
        self._moves += int(rows.sum())
        return self.player.act(games, rows)
