"""A game of one player who counts moves, for tests to give a length and rewards."""

from __future__ import annotations

import numpy as np

from games.base import GameSpec


class Counting:
    """Two actions, always legal, until `spec.max_length` moves are made; the observation is their number."""

    spec: GameSpec

    def __init__(self, generator: np.random.Generator) -> None:
        self.made = 0

    def to_play(self) -> int:
        return 0

    def legal(self) -> list[int]:
        return [0, 1]

    def step(self, action: int) -> float:
        self.made += 1
        return self.reward(action)

    def reward(self, action: int) -> float:
        """Of the move just made."""
        raise NotImplementedError

    def over(self) -> bool:
        return self.made == self.spec.max_length

    def observe(self) -> np.ndarray:
        return np.array([self.made], np.float32)

    def render(self) -> str:
        return str(self.made)

    def action_name(self, action: int) -> str:
        return str(action)
