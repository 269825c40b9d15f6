"""Players of the matches during training: one leaves when the run is to stop, one tells how far the match is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from games.base import NO_PLAYER, GameBatch, IntArray, MaskArray
from muzero.training.interrupt import Interrupt
from selfplay.players import Player


class MatchLeftError(Exception):
    """A match was abandoned because the run should stop."""


class Watched:
    """A player who abandons the match once the run should stop."""

    def __init__(self, player: Player, interrupt: Interrupt) -> None:
        self.player, self.interrupt, self.name = player, interrupt, player.name

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]. Raises MatchLeftError."""
        if self.interrupt.asked:
            raise MatchLeftError
        return self.player.act(games, rows)


class Reported:
    """A player who reports the progress of a match, at its first move and then at most every `seconds`.

    count: games of the match; limit: moves after which a game is cut off; tell: called with the progress, in words.
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
