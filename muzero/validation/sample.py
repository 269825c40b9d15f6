"""Validation sample: positions of real games, and the moves that really followed.

Shape letters: N positions, T moves after each, A actions, *O one observation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, MaskArray


@dataclass(frozen=True)
class Sample:
    """N positions with the T moves that really followed; step 0 is the position itself.

    Rewards and ends are those that the learner sees: clipped, or at a lost life, if it learned so.
    """

    obs: NDArray[Any]
    """[N, T+1, *O]; past the end anything"""
    legal: MaskArray
    """[N, T+1, A]; past the end none"""
    action: NDArray[np.int64]
    """[N, T]; past the end any legal number"""
    reward: FloatArray
    """[N, T] for the player who moved; past the end 0"""
    discount: FloatArray
    """[N, T] signed; 0 at the end and past it"""
    in_game: MaskArray
    """[N, T+1] whether step t is a position of the game, not past its end or beyond where it was cut"""
    returns: FloatArray
    """[N, T+1] discounted rewards up to the end of the game, for the player to move; NaN where nobody saw the end,
    or where another one chose the first move"""
    truth: FloatArray | None = None
    """[N, T+1] value under perfect play for the player to move; NaN where it isn't known, None if it is nowhere"""

    def __len__(self) -> int:
        return len(self.action)

    @property
    def depth(self) -> int:
        """T, the moves that followed."""
        return int(self.action.shape[1])

    @property
    def made(self) -> MaskArray:
        """[N, T] whether move t was made in the game."""
        return self.in_game[:, :-1]
