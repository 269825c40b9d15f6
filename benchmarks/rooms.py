"""Two games of one player in four rooms of 7 x 7 places: 1 at the goal, a little for each move, 50 moves at most.

    muzero train benchmarks/rooms.py:Rooms --steps 2000
    muzero evaluate benchmarks/rooms.py:Rooms --player random --episodes 300

An agent of so few steps knows its way in part, and walks in circles where it doesn't (docs/lab/strength.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec

SIDE, MOVES, COST = 7, 50, 0.002
STEPS = ((0, 1), (-1, 0), (0, -1), (1, 0))
WALLS = np.zeros((SIDE, SIDE), dtype=np.uint8)
WALLS[3, [0, 2, 3, 4, 6]] = WALLS[[0, 2, 4, 6], 3] = 1


class Rooms:
    """All is seen: the place, the walls, the goal."""

    spec = GameSpec(name="rooms", players=1, observation_shape=(3, SIDE, SIDE), observation_dtype="uint8",
                    num_actions=len(STEPS), max_length=MOVES, min_return=-COST * MOVES, max_return=1.0 - COST,
                    alternates=False, stochastic=True, rewards_on_the_way=True)

    def __init__(self, generator: np.random.Generator) -> None:
        free = np.argwhere(WALLS == 0)
        start, goal = generator.choice(len(free), 2, replace=False)
        self.place, self.goal, self.made = tuple(free[start]), tuple(free[goal]), 0

    def to_play(self) -> int:
        """Player 0."""
        return 0

    def legal(self) -> Sequence[int]:
        """Right, up, left, down; a wall is run into."""
        return range(len(STEPS))

    def step(self, action: int) -> float:
        """One move; what it pays."""
        self.made += 1
        row, column = (int(at) + by for at, by in zip(self.place, STEPS[action], strict=True))
        if 0 <= row < SIDE and 0 <= column < SIDE and not WALLS[row, column]:
            self.place = (row, column)
        return float(self.place == self.goal) - COST

    def over(self) -> bool:
        """True at the goal and after the last move."""
        return self.place == self.goal or self.made >= MOVES

    def observe(self) -> NDArray[np.uint8]:
        """[3, 7, 7]"""
        seen = np.zeros(self.spec.observation_shape, dtype=np.uint8)
        seen[0][self.place], seen[1], seen[2][self.goal] = 1, WALLS, 1
        return seen

    def render(self) -> str:
        """The board with walls, place and goal."""
        rows = [["#" if wall else "." for wall in row] for row in WALLS]
        rows[self.goal[0]][self.goal[1]], rows[self.place[0]][self.place[1]] = "G", "x"
        return "\n".join("".join(row) for row in rows)

    def action_name(self, action: int) -> str:
        """right, up, left or down"""
        return ("right", "up", "left", "down")[action]


class Keyhole(Rooms):
    """Walls and goal are seen in the 3 x 3 places around the own one alone."""

    spec = GameSpec(name="keyhole", players=1, observation_shape=(18,), observation_dtype="uint8",
                    num_actions=len(STEPS), max_length=MOVES, min_return=-COST * MOVES, max_return=1.0 - COST,
                    alternates=False, stochastic=True, rewards_on_the_way=True)

    def observe(self) -> NDArray[np.uint8]:
        """[18] walls, then the goal; beyond the edge there is wall."""
        walls, goal = np.pad(WALLS, 1, constant_values=1), np.zeros((SIDE + 2, SIDE + 2), dtype=np.uint8)
        goal[self.goal[0] + 1, self.goal[1] + 1] = 1
        row, column = self.place
        around = np.s_[row : row + 3, column : column + 3]
        return np.concatenate([walls[around].ravel(), goal[around].ravel()])
