"""A complete game of your own: take 1, 2 or 3 counters from a pile; the player who takes the last one wins.

Play it by name: `games/examples/subtraction.py:Subtraction` or `games.examples.subtraction:Subtraction`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec


class Subtraction:
    """21 counters. A pile that is a multiple of 4 is lost for the player to move."""

    pile_at_start: ClassVar[int] = 21
    spec: ClassVar[GameSpec] = GameSpec(
        name="subtraction",
        players=2,
        observation_shape=(22,),
        observation_dtype="uint8",
        num_actions=3,
        max_length=21,
        min_return=-1.0,
        max_return=1.0,
        alternates=True,
        stochastic=False,
        rewards_on_the_way=False,
    )

    def __init__(self, generator: np.random.Generator) -> None:
        """`generator` is for games with chance; this one has none."""
        self.pile = self.pile_at_start
        self.player = 0

    def to_play(self) -> int:
        """The player to move."""
        return self.player

    def legal(self) -> list[int]:
        """Action a takes a + 1 counters."""
        return [action for action in range(3) if action < self.pile]

    def step(self, action: int) -> float:
        """Take counters; 1 to the player who takes the last one."""
        self.pile -= action + 1
        self.player = 1 - self.player
        return 1.0 if self.pile == 0 else 0.0

    def over(self) -> bool:
        """True when no counter is left."""
        return self.pile == 0

    def observe(self) -> NDArray[np.uint8]:
        """[22] one-hot of the pile: the same for both players."""
        seen = np.zeros(self.pile_at_start + 1, np.uint8)
        seen[self.pile] = 1
        return seen

    def render(self) -> str:
        """The pile as text."""
        return f"{self.pile} counters: " + "o" * self.pile

    def action_name(self, action: int) -> str:
        """Such as `take 2`."""
        return f"take {action + 1}"
