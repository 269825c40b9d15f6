"""Loop avoidance in one-player games: otherwise a deterministic player may go round in circles forever.

When several moves are nearly as good, or the model is wrong, nothing else would break the loop. So each time an
observation recurs within a game, the next best move is played, as in graph search with visit counts (Koenig and
Szymanski 1999): this leaves every loop that can be left. If the same move at the same observation leads to different
observations (random events, or a partial view), recurrence is no sign of a loop: then the move is sampled from the
search's policy.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, IntArray, MaskArray

KEY_BYTES = 16
MOST = 100_000
"""Most moves remembered with the observation that followed."""


class Repeats:
    """The observations that came before in each row's game, for one batch of games after another."""

    def __init__(self, seed: int) -> None:
        self.varied = False
        """True once the same move at the same observation has led to two different observations."""
        self._rng = np.random.default_rng(seed)
        self._games: GameBatch | None = None
        self._seen: list[dict[bytes, int]] = []
        self._left: list[bytes] = []
        """The last observation and move of each row."""
        self._followed: dict[bytes, bytes] = {}

    def choose(
        self, games: GameBatch, rows: NDArray[np.intp], action: IntArray, policy: FloatArray, legal: MaskArray
    ) -> IntArray:
        """The moves of rows [R], whose search chose action [R] and found policy [R, A] over legal [R, A] moves."""
        if games is not self._games:
            self._games, self._seen, self._left = games, [{} for _ in range(games.size)], [b""] * games.size
        keys = [key(one) for one in games.observe()[rows]]
        before = np.array([self._arrive(row, here) for row, here in zip(rows.tolist(), keys, strict=True)], np.int64)
        again = drawn(policy, legal, self._rng) if self.varied else next_best(action, policy, legal, before)
        moves: IntArray = np.where(before > 0, again, action).astype(np.int32)
        for row, here, move in zip(rows.tolist(), keys, moves, strict=True):
            self._left[row] = here + move.tobytes()
        return moves

    def _arrive(self, row: int, here: bytes) -> int:
        """Count the observation; returns how often it came before in its game."""
        left, before = self._left[row], self._seen[row].get(here, 0)
        self._seen[row][here] = before + 1
        if left and (left in self._followed or len(self._followed) < MOST):
            self.varied |= self._followed.setdefault(left, here) != here
        return before


def key(observation: NDArray[np.generic]) -> bytes:
    """A short hash of an observation."""
    return hashlib.blake2b(observation.tobytes(), digest_size=KEY_BYTES).digest()


def next_best(action: IntArray, policy: FloatArray, legal: MaskArray, before: NDArray[np.int64]) -> IntArray:
    """The move of each row [R] at an observation seen `before` [R] times: `action` [R] the first time, then
    the other legal moves in descending order of policy [R, A], then the same again."""
    worth = np.where(legal, policy, -1.0)
    np.put_along_axis(worth, action[:, None].astype(np.intp), np.inf, 1)
    order = np.argsort(-worth, axis=1, kind="stable")
    chosen: IntArray = order[np.arange(len(order)), before % legal.sum(1)].astype(np.int32)
    return chosen


def drawn(policy: FloatArray, legal: MaskArray, rng: np.random.Generator) -> IntArray:
    """A move of each row [R], sampled from policy [R, A] over legal moves."""
    # The first of several exponential clocks with these rates.
    chosen: IntArray = np.where(legal, policy / rng.exponential(size=policy.shape), -1.0).argmax(1).astype(np.int32)
    return chosen
