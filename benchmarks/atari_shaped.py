"""A game of random pictures in the shape of an Atari latent (6 x 6, 18 actions): to measure speed, not to be played."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec

MOVES = 200


class AtariShaped:
    """200 moves without any meaning; one player, a reward now and then."""

    spec: ClassVar[GameSpec] = GameSpec(
        name="atari_shaped", players=1, observation_shape=(64, 6, 6), observation_dtype="uint8", num_actions=18,
        max_length=MOVES, min_return=0.0, max_return=float(MOVES), alternates=False, stochastic=False,
        rewards_on_the_way=True)

    def __init__(self, generator: np.random.Generator) -> None:
        self.picture = generator.integers(0, 2, self.spec.observation_shape, dtype=np.uint8)
        self.left = MOVES

    def to_play(self) -> int:
        return 0

    def legal(self) -> list[int]:
        return list(range(18)) if self.left else []

    def step(self, action: int) -> float:
        self.left -= 1
        return float(self.left % 18 == action)

    def over(self) -> bool:
        return self.left == 0

    def observe(self) -> NDArray[np.uint8]:
        return self.picture

    def render(self) -> str:
        return f"{self.left} moves left"

    def action_name(self, action: int) -> str:
        return str(action)
