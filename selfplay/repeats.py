"""Repetition avoidance in games of one player: a deterministic player walks in circles for ever.

Which move that is tells little where several are nearly as good, or where what was learned is wrong. So each time an
observation comes again in a game the next best move is made, as in a search of a graph that counts its visits (Koenig
and Szymanski 1999): whoever does so leaves every circle that can be left. Where a move doesn't always lead to the same
observation, by chance or as not all is seen, coming back is no sign of a circle: there the move is drawn from the
policy that the search has found.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, IntArray, MaskArray

KEY_BYTES = 16
MOST = 100_000
"""Moves that are remembered with what followed."""


class Repeats:
    """What came before in the games of one batch after the other, in which each row is one game."""

    def __init__(self, seed: int) -> None:
        self.varied = False
        """True once the same move at the same observation was followed by another observation than before."""
        self._rng = np.random.default_rng(seed)
        self._games: GameBatch | None = None
        self._seen: list[dict[bytes, int]] = []
        self._left: list[bytes] = []
        """The last observation and move of each row."""
        self._followed: dict[bytes, bytes] = {}

    def choose(
        self, games: GameBatch, rows: NDArray[np.intp], action: IntArray, policy: FloatArray, legal: MaskArray
    ) -> IntArray:
        """The moves of rows [R], whose search prefers action [R] and found policy [R, A] over legal [R, A] moves."""
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
        """How often the observation has come before in its game; it is counted from now on."""
        left, before = self._left[row], self._seen[row].get(here, 0)
        self._seen[row][here] = before + 1
        if left and (left in self._followed or len(self._followed) < MOST):
            self.varied |= self._followed.setdefault(left, here) != here
        return before


def key(observation: NDArray[np.generic]) -> bytes:
    """A short stand-in for an observation."""
    return hashlib.blake2b(observation.tobytes(), digest_size=KEY_BYTES).digest()


def next_best(action: IntArray, policy: FloatArray, legal: MaskArray, before: NDArray[np.int64]) -> IntArray:
    """The move of each row [R] at an observation that has come `before` [R] times: `action` [R] the first time, then
    the other legal moves by falling policy [R, A], and from the beginning again."""
    worth = np.where(legal, policy, -1.0)
    np.put_along_axis(worth, action[:, None].astype(np.intp), np.inf, 1)
    order = np.argsort(-worth, axis=1, kind="stable")
    chosen: IntArray = order[np.arange(len(order)), before % legal.sum(1)].astype(np.int32)
    return chosen


def drawn(policy: FloatArray, legal: MaskArray, rng: np.random.Generator) -> IntArray:
    """A move of each row [R], in proportion to policy [R, A] over legal moves."""
    # The first of several alarms with these rates.
    chosen: IntArray = np.where(legal, policy / rng.exponential(size=policy.shape), -1.0).argmax(1).astype(np.int32)
    return chosen
