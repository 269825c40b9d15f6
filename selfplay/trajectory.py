"""Trajectories: the fields of a stored move, stated once, and checks of stored games.

Shape letters: N positions, T moves of a game, A actions, F frames of one observation, *O one observation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameSpec, IntArray, MaskArray
from selfplay.planner import Plan


@dataclass(frozen=True)
class MoveField:
    """One number, or one number an action, of each move."""

    dtype: type[np.generic]
    """in a `Trajectory`"""
    per_action: bool = False
    stored: type[np.generic] | None = None
    """in the replay, where that is another"""


MOVE_FIELDS: dict[str, MoveField] = {
    "action": MoveField(np.int32),
    "reward": MoveField(np.float32),
    "discount": MoveField(np.float32),
    "legal": MoveField(np.bool_, per_action=True),
    "policy": MoveField(np.float32, per_action=True, stored=np.float16),
    "root_value": MoveField(np.float32),
    "exploratory": MoveField(np.bool_),
    "searched": MoveField(np.bool_),
}
"""All fields of a `Trajectory` but its frames, by name: what a recorder and a replay reserve."""


def move_columns(spec: GameSpec, shape: tuple[int, ...], *, stored: bool = False) -> dict[str, NDArray[Any]]:
    """Zeroed columns [*shape, ...] for the frame and the fields of each move. stored: as a replay keeps them."""
    return {name: np.zeros((*shape, *entry), dtype) for name, (entry, dtype) in _entries(spec, stored).items()}


def _entries(spec: GameSpec, stored: bool) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of what is kept of one move, by name."""
    fields = {
        name: ((spec.num_actions,) if field.per_action else (),
               np.dtype(field.stored if stored and field.stored else field.dtype))
        for name, field in MOVE_FIELDS.items()
    }
    return {"obs": (spec.frame_shape, np.dtype(spec.observation_dtype)), **fields}


def stored_bytes(spec: GameSpec) -> int:
    """Bytes of one position in a replay, with the number of moves that are left of its game (int32)."""
    return 4 + sum(math.prod(entry) * dtype.itemsize for entry, dtype in _entries(spec, stored=True).values())


LEAST_STORED_BYTES = 16
"""Fewer than `stored_bytes` of any game: for checks that know no game."""


def unfinished_bytes(spec: GameSpec) -> int:
    """An upper bound on the bytes of one position of an unfinished game: observations as float32, and 32 bytes for the
    numbers that a move has one of."""
    each = sum(np.dtype(field.dtype).itemsize for field in MOVE_FIELDS.values() if field.per_action)
    return 4 * math.prod(spec.observation_shape) + each * spec.num_actions + 32


@dataclass(frozen=True)
class StoredPlan:
    """What is stored of the plans for N positions."""

    policy: FloatArray
    """[N, A] all zero where nothing was searched"""
    root_value: FloatArray
    """[N] for the player to move; 0 where nothing was searched"""
    searched: MaskArray
    """[N]"""

    @staticmethod
    def of(plan: Plan) -> StoredPlan:
        return StoredPlan(plan.policy, plan.value, np.ones(len(plan.value), dtype=np.bool_))

    @staticmethod
    def nothing(legal: MaskArray) -> StoredPlan:
        """Of positions that nobody searched; legal [N, A]."""
        count = len(legal)
        return StoredPlan(np.zeros(legal.shape, dtype=np.float32), np.zeros(count, dtype=np.float32),
                          np.zeros(count, dtype=np.bool_))


@dataclass(frozen=True)
class Trajectory:
    """One whole game as one actor saw it, or a part of a long one."""

    obs: NDArray[Any]
    """[F - 1 + T, *frame] the frame before each move, after the F - 1 that came before the first; F, the frames of one
    observation, is 1 in most games: [T, *O]"""
    action: IntArray
    """[T]"""
    reward: FloatArray
    """[T] of the move, seen by the player who moved"""
    discount: FloatArray
    """[T] signed, after the move; 0 at the end"""
    legal: MaskArray
    """[T, A]"""
    policy: FloatArray
    """[T, A] from the search before the move; all zero where nothing was searched"""
    root_value: FloatArray
    """[T] from the search before the move"""
    exploratory: MaskArray
    """[T] True where the move was random, so that what followed says nothing of the position's worth"""
    searched: MaskArray
    """[T] True where policy and root_value are those of a search"""

    def __len__(self) -> int:
        return len(self.action)


def upgraded(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays [n, ...] of moves as this version means them. Older ones didn't always store what was searched, or had
    searches that left no policy: what has a policy was searched."""
    return {**arrays, "searched": np.asarray(arrays["policy"].any(-1))} if "policy" in arrays else arrays


def impossible(moves: Mapping[str, NDArray[Any]], actions: int) -> str | None:
    """The first of the arrays [n, ...] of moves, named as in `Trajectory`, that holds what no move gives, or None."""
    for name, held in moves.items():
        if held.dtype.kind == "f" and not np.isfinite(held).all():
            return name
        # A byte beyond 0 and 1 would be counted as many.
        if held.dtype == np.bool_ and (held.view(np.uint8) > 1).any():
            return name
    if not ((moves["action"] >= 0) & (moves["action"] < actions)).all():
        return "action"
    return None if np.isin(moves["discount"], (-1.0, 0.0, 1.0)).all() else "discount"
