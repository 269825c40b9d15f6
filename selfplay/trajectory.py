"""Trajectories: the fields of a stored move, and checks of stored games.

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

UNNUMBERED = 0
"""Number of a game that has none; numbered ones begin at 1. It is never held out."""
NUMBERS = 1 << 53
"""Numbers of games are below this, so that JSON holds them."""


@dataclass(frozen=True)
class MoveField:
    """A field with one number, or one number per action, for each move."""

    dtype: type[np.generic]
    """in a `Trajectory`"""
    per_action: bool = False
    stored: type[np.generic] | None = None
    """in the replay buffer, if different"""


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
"""All fields of a `Trajectory` except its frames, by name: recorder and replay buffer allocate these."""


def move_columns(spec: GameSpec, shape: tuple[int, ...], *, stored: bool = False) -> dict[str, NDArray[Any]]:
    """Zeroed columns [*shape, ...] for the frame and the fields of each move. stored: with the replay buffer's dtypes.
    """
    return {name: np.zeros((*shape, *entry), dtype) for name, (entry, dtype) in _entries(spec, stored).items()}


def _entries(spec: GameSpec, stored: bool) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of each field of one move, by name."""
    fields = {
        name: ((spec.num_actions,) if field.per_action else (),
               np.dtype(field.stored if stored and field.stored else field.dtype))
        for name, field in MOVE_FIELDS.items()
    }
    return {"obs": (spec.frame_shape, np.dtype(spec.observation_dtype)), **fields}


def stored_bytes(spec: GameSpec) -> int:
    """Bytes of one position in the replay buffer, including the number of moves left in its game (int32)."""
    return 4 + sum(math.prod(entry) * dtype.itemsize for entry, dtype in _entries(spec, stored=True).values())


LEAST_STORED_BYTES = 16
"""A lower bound of `stored_bytes` over all games: for checks that don't know the game."""


def unfinished_bytes(spec: GameSpec) -> int:
    """An upper bound on the bytes of one position of an unfinished game: observations as float32, and 32 bytes for the
    fields with one number per move."""
    each = sum(np.dtype(field.dtype).itemsize for field in MOVE_FIELDS.values() if field.per_action)
    return 4 * math.prod(spec.observation_shape) + each * spec.num_actions + 32


@dataclass(frozen=True)
class StoredPlan:
    """The stored part of the plans for N positions."""

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
        """For positions that weren't searched; legal [N, A]."""
        count = len(legal)
        return StoredPlan(np.zeros(legal.shape, dtype=np.float32), np.zeros(count, dtype=np.float32),
                          np.zeros(count, dtype=np.bool_))


@dataclass(frozen=True)
class Trajectory:
    """One game as an actor played it, or a part of a long one."""

    obs: NDArray[Any]
    """[F - 1 + T, *frame] the frame before each move, preceded by the F - 1 frames before the first; F, the frames in
    one observation, is 1 in most games: [T, *O]"""
    action: IntArray
    """[T]"""
    reward: FloatArray
    """[T] of the move, for the player who moved"""
    discount: FloatArray
    """[T] signed, after the move; 0 at the end"""
    legal: MaskArray
    """[T, A]"""
    policy: FloatArray
    """[T, A] from the search before the move; all zero where nothing was searched"""
    root_value: FloatArray
    """[T] from the search before the move"""
    exploratory: MaskArray
    """[T] True where the move was random, so that what follows says nothing about the position's value"""
    searched: MaskArray
    """[T] True where policy and root_value come from a search"""
    number: int = UNNUMBERED
    """of the game, the same for all parts of it: held-out games are chosen by it"""

    def __len__(self) -> int:
        return len(self.action)


def upgraded(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays [n, ...] of moves, converted to this version. Older versions didn't always store `searched`, or had
    searches without a policy: moves with a policy count as searched."""
    return {**arrays, "searched": np.asarray(arrays["policy"].any(-1))} if "policy" in arrays else arrays


def impossible(moves: Mapping[str, NDArray[Any]], actions: int) -> str | None:
    """Name of the first array [n, ...] of moves (fields of `Trajectory`) that holds impossible values, or None."""
    for name, held in moves.items():
        if held.dtype.kind == "f" and not np.isfinite(held).all():
            return name
        # A byte other than 0 and 1 would count as more than one.
        if held.dtype == np.bool_ and (held.view(np.uint8) > 1).any():
            return name
    if not ((moves["action"] >= 0) & (moves["action"] < actions)).all():
        return "action"
    return None if np.isin(moves["discount"], (-1.0, 0.0, 1.0)).all() else "discount"
