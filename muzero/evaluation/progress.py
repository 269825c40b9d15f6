"""Progress of evaluations: finished games, time left, solved positions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from games.base import NO_PLAYER, GameBatch, IntArray, MaskArray
from games.exact import Exact
from games.solver import Solver
from muzero.view.waiting import Say, Ticker

if TYPE_CHECKING:
    from selfplay.players import Player

SHARE_TOLD = 0.1
"""Fraction of the games that must be finished before the time left is shown."""


class Announced:
    """A player that reports the progress of its games.

    count: number of all games if they come in several batches; otherwise the games of the first batch.
    """

    def __init__(
        self, player: Player, say: Say, count: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.player, self.name = player, player.name
        self._moves, self._ticker = 0, Ticker("playing:", say, clock)
        self._left = TimeLeft(count, clock)

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]."""
        over = int((games.to_play() == NO_PLAYER).sum())
        left = self._left.told(over, games.size)
        self._ticker.tell(f"{over:,} of {games.size:,} games are over, {self._moves:,} moves of {self.name} made{left}")
        self._moves += int(rows.sum())
        return self.player.act(games, rows)


class TimeLeft:
    """Estimates how long games in lockstep will take.

    As they move together, none ends for a long time and then many do: the estimate uses the rate at which games have
    ended since the first one.
    """

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = count, clock
        self._before = 0
        """Games of earlier batches"""
        self._over = self._size = 0
        self._start, self._first = clock(), (0.0, 0)
        """When this batch began; when its first games ended, and how many"""

    def told(self, over: int, size: int) -> str:
        """`, about 3 minutes left`, given `over` of `size` games of this batch; empty before a tenth of them are over.
        """
        now = self._clock()
        if over < self._over:
            self._before, self._start, self._first = self._before + self._size, now, (0.0, 0)
        self._over, self._size = over, size
        if self._first[1] == 0:
            self._first = now, over
        since, ended = now - self._first[0], over - self._first[1]
        if ended < 1 or over < SHARE_TOLD * size:
            return ""
        seconds = (size - over) * since / ended
        seconds += max(0, self._count - self._before - size) / size * (now - self._start + seconds)
        return f", about {round(seconds / 60):,} minutes left" if seconds >= 90 else ", about a minute left"


def solve_aloud(solver: Exact, say: Say) -> None:
    """Solve the start position, so that a game too large is noticed before the first move."""
    if isinstance(solver, Solver):
        solver.progress = Ticker("solving:", say)
    say(f"solving {solver.spec.name} ...")
    solver.value(solver.new_state())
