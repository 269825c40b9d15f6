"""A line now and then for whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from games.base import NO_PLAYER, GameBatch, IntArray, MaskArray
from games.exact import Exact
from games.solver import Solver
from muzero.commands.console import log

if TYPE_CHECKING:
    from selfplay.agents import Player

PROGRESS_SECONDS = 10.0
"""Between two lines of a Ticker."""


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
    """A player of whose games people hear how far they are."""

    def __init__(self, player: Player) -> None:
        self.player, self.name = player, player.name
        self._moves, self._ticker = 0, Ticker("playing:")

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]."""
        over = int((games.to_play() == NO_PLAYER).sum())
        self._ticker.tell(f"{over:,} of {games.size:,} games are over, {self._moves:,} moves of {self.name} made")
        self._moves += int(rows.sum())
        return self.player.act(games, rows)


def solve_aloud(solver: Exact) -> None:
    """Work the start out: a game too large is noticed before the first move."""
    if isinstance(solver, Solver):
        solver.progress = Ticker("solving:")
    log(f"solving {solver.spec.name} ...")
    solver.value(solver.new_state())
