"""OpenSpiel's `catch` as a grey picture: the smallest task for a network that reads pixels.

Play it by name: `games.examples.pixel_catch:PixelCatch`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyspiel
from numpy.typing import NDArray

from games.base import PIXEL_HIGH, GameSpec

ROWS, COLUMNS = 10, 5
CELL = (4, 8)
"""Pixels of one cell of the board, height and width."""
BALL, PADDLE = 255, 128


class PixelCatch:
    """A ball falls through 10 rows of 5 columns; the return is 1 if the paddle in the last row catches it, else -1."""

    spec: ClassVar[GameSpec] = GameSpec(
        name="pixel_catch",
        players=1,
        observation_shape=(1, ROWS * CELL[0], COLUMNS * CELL[1]),
        observation_dtype="uint8",
        num_actions=3,
        max_length=ROWS,
        min_return=-1.0,
        max_return=1.0,
        alternates=False,
        stochastic=True,
        rewards_on_the_way=False,
        observation_high=PIXEL_HIGH,
    )
    _game: ClassVar = pyspiel.load_game("catch", {"rows": ROWS, "columns": COLUMNS})

    def __init__(self, generator: np.random.Generator) -> None:
        """`generator` draws the column in which the ball starts."""
        self._state = self._game.new_initial_state()
        self._state.apply_action(int(generator.integers(COLUMNS)))

    def to_play(self) -> int:
        """Player 0."""
        return 0

    def legal(self) -> list[int]:
        """Left, stay, right."""
        return [0, 1, 2]

    def step(self, action: int) -> float:
        """Move the paddle; the ball falls by one row."""
        self._state.apply_action(action)
        return float(self._state.rewards()[0])

    def over(self) -> bool:
        """True when the ball is down."""
        return bool(self._state.is_terminal())

    def observe(self) -> NDArray[np.uint8]:
        """[1, 40, 40]: the ball white, the paddle grey."""
        cells = np.array(self._state.observation_tensor(0), np.float32).reshape(ROWS, COLUMNS)
        shades = (cells > 0) * BALL
        paddle = (np.arange(ROWS)[:, None] == ROWS - 1) & (cells > 0)
        shades = np.where(paddle, PADDLE, shades).astype(np.uint8)
        return np.kron(shades, np.ones(CELL, np.uint8))[None]

    def render(self) -> str:
        """The board in text."""
        return str(self._state)

    def action_name(self, action: int) -> str:
        """What the paddle does."""
        return ("left", "stay", "right")[action]
