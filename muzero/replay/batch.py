"""A batch of positions with their targets.

Shape letters: B positions, K unroll steps, A actions, *O one observation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, MaskArray


@dataclass(frozen=True)
class Batch:
    """The input of one learning step. Step 0 is the root; step k follows k real actions."""

    obs: NDArray[Any]
    """[B, *O]"""
    action: NDArray[np.int64]
    """[B, K] real actions, random ones past the end"""
    reward: FloatArray
    """[B, K] reward of action k"""
    next_mover: NDArray[np.int64]
    """[B, K] after action k: 0 the end, 1 the same player moves, 2 the other player moves"""
    value: FloatArray
    """[B, K+1]"""
    policy: FloatArray
    """[B, K+1, A]"""
    legal: MaskArray
    """[B, K+1, A] all False past the end"""
    policy_mask: MaskArray
    """[B, K+1] True where step k is a real, searched position"""
    in_game: MaskArray
    """[B, K+1] True where step k is a real position, not past the end"""
    value_mask: MaskArray
    """[B, K+1] False where the value is unknown, and past the end if absorbing ends aren't trained. The reward of
    action k is trained where this holds at k+1, and wherever the move was really made"""
    later_obs: NDArray[Any] | None
    """[B, K', *O] observation after each of the first K' actions, for the auxiliary losses"""
    weight: FloatArray
    """[B] importance-sampling weight"""
    place: NDArray[np.int64]
    """[B, K+1] place in the replay buffer of step k; past the end, that of the last position"""

    @property
    def index(self) -> NDArray[np.int64]:
        """[B] places of the roots, for priorities and reanalysis."""
        return self.place[:, 0]
