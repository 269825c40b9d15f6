"""One small game whose rewards come at any scale and on top of any constant, to train on what they are worth.

Every move pays `OFFSET` more than the walk itself, and all is multiplied by `SCALE`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec

LENGTH = 40
"""Moves of a game."""
PLACES = 7


def spec(name: str) -> GameSpec:
    """Of one of the games below; nobody states their bounds."""
    return GameSpec(
        name=name, players=1, observation_shape=(PLACES + 2,), observation_dtype="float32", num_actions=3,
        max_length=LENGTH, min_return=-np.inf, max_return=np.inf, alternates=False, stochastic=True,
        rewards_on_the_way=True)


class Walk:
    """Seven places in a row, from the middle one. The end that is marked pays 4, the other one 0.4; then another end is
    marked by chance and the walk begins anew. Always to one side makes 2.2 in three moves, to the mark 4."""

    spec: ClassVar[GameSpec] = spec("walk")
    SCALE, OFFSET = 1.0, 0.0
    LIMIT: ClassVar[bool] = False

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator, self.moves = generator, 0
        self._begin()

    def _begin(self) -> None:
        self.place, self.mark = PLACES // 2, int(self.generator.integers(2)) * (PLACES - 1)

    def to_play(self) -> int:
        return 0

    def legal(self) -> list[int]:
        return [0, 1, 2]

    def step(self, action: int) -> float:
        """Left, stay or right; one move in ten goes elsewhere."""
        self.moves += 1
        chosen = int(self.generator.integers(3)) if self.generator.random() < 0.1 else action
        self.place += chosen - 1
        ended = self.place in (0, PLACES - 1)
        paid = 0.0 if not ended else 4.0 if self.place == self.mark else 0.4
        if ended:
            self._begin()
        return self.SCALE * (self.OFFSET + paid)

    def over(self) -> bool:
        return self.moves == LENGTH

    def cut(self) -> bool:
        return self.LIMIT and self.over()

    def observe(self) -> NDArray[np.float32]:
        seen = np.zeros(PLACES + 2, np.float32)
        seen[self.place] = 1.0
        seen[PLACES], seen[PLACES + 1] = self.mark > 0, self.moves / LENGTH
        return seen

    def render(self) -> str:
        return str(self.place)

    def action_name(self, action: int) -> str:
        return ("left", "stay", "right")[action]


class Thousandths(Walk):
    spec = spec("thousandths")
    SCALE = 2.0**-10
    """Of two, so that numbers keep their digits."""


class Thousands(Walk):
    spec = spec("thousands")
    SCALE = 2.0**10


class Constant(Walk):
    """Each move pays 1000 more."""

    spec = spec("constant")
    OFFSET = 1e3


class Endless(Constant):
    """The same with a time limit in place of an end."""

    spec = spec("endless")
    LIMIT = True


GAMES = {game.__name__: game for game in (Walk, Thousandths, Thousands, Constant, Endless)}


def worth(name: str, mean_return: float) -> float:
    """Return of a game without scale and offset."""
    game = GAMES[name]
    return mean_return / game.SCALE - game.OFFSET * LENGTH
