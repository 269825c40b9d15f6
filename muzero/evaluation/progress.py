"""A line now and then for whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from games.base import NO_PLAYER, GameBatch, IntArray, MaskArray
from games.exact import Exact
from games.solver import Solver
from muzero.view.console import log

if TYPE_CHECKING:
    from selfplay.players import Player

PROGRESS_SECONDS = 10.0
"""Between two lines of a Ticker."""
SHARE_TOLD = 0.1
"""Of the games that must be over before the time left is told."""


class Ticker:
    """A line on stderr now and then, for work that may take minutes."""

    def __init__(self, doing: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._doing, self._clock, self._last = doing, clock, clock()

    def __call__(self, done: int, whole: int = 0) -> None:
        """`done` positions so far, of `whole` where that is known."""
        self.tell(f"{done:,}" + (f" of {whole:,}" if whole else "") + " positions")

    def tell(self, text: str) -> None:
        """How far it is, in words; not said if something was lately."""
        if self._clock() - self._last >= PROGRESS_SECONDS:
            self._last = self._clock()
            log(f"{self._doing} {text}")


class Announced:
    """A player of whose games people hear how far they are.

    count: all games, where they come in several batches; the games of the first batch otherwise.
    """

    def __init__(self, player: Player, count: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.player, self.name = player, player.name
        self._moves, self._ticker = 0, Ticker("playing:", clock)
        self._left = TimeLeft(count, clock)

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]."""
        over = int((games.to_play() == NO_PLAYER).sum())
        left = self._left.told(over, games.size)
        self._ticker.tell(f"{over:,} of {games.size:,} games are over, {self._moves:,} moves of {self.name} made{left}")
        self._moves += int(rows.sum())
        return self.player.act(games, rows)


class TimeLeft:
    """How long games in lockstep will take.

    All of them move together, so that none is over for a long time and then many are: what is counted is the pace at
    which they have ended since the first of them did.
    """

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = count, clock
        self._before = 0
        """Games of earlier batches"""
        self._over = self._size = 0
        self._start, self._first = clock(), (0.0, 0)
        """When this batch began; when its first games ended, and how many"""

    def told(self, over: int, size: int) -> str:
        """`, about 3 minutes left` with `over` of the `size` games of this batch; nothing before a tenth of them is."""
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


def solve_aloud(solver: Exact) -> None:
    """Work the start out: a game too large is noticed before the first move."""
    if isinstance(solver, Solver):
        solver.progress = Ticker("solving:")
    log(f"solving {solver.spec.name} ...")
    solver.value(solver.new_state())
