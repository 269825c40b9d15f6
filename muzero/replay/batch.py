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
    """What one learning step reads. Step 0 is the root; step k follows k real actions."""

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
    """[B, K+1] step k is a real position that was searched"""
    in_game: MaskArray
    """[B, K+1] step k is a real position, not past the end"""
    value_mask: MaskArray
    """[B, K+1] False only where nothing is known or absorbing ends aren't trained. The reward of
    action k is trained where this holds at k+1, and wherever the move was really made"""
    later_obs: NDArray[Any] | None
    """[B, K', *O] observation after each of the first K' actions, as many as the auxiliary losses need"""
    weight: FloatArray
    """[B] importance weight"""
    index: NDArray[np.int64]
    """[B] place in the replay, for priorities and reanalysis"""
