"""A game of your own: Domineering on a 4x4 board, a class with a `spec` and seven methods.

    python docs/examples/own_game.py                # checks the game and trains it for a minute
    muzero train docs/examples/own_game.py:Domineering --minutes 5
    muzero play checkpoints/runs/domineering --own-game docs/examples/own_game.py:Domineering

Two players cover two free cells in turn, the first with upright dominoes, the second with level ones. Whoever can't
move has lost. The file alone is the game: nothing has to be registered, and the name FILE.py:Class is enough.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from games.base import ActionLayout, GameSpec
from games.contract import check_game
from muzero.cli import main as muzero

SIDE = 4


class Domineering:
    """Action row * SIDE + column covers that cell and the one below it (first player) or to its right (second)."""

    spec: ClassVar[GameSpec] = GameSpec(
        name="domineering", players=2, observation_shape=(2, SIDE, SIDE), observation_dtype="uint8",
        num_actions=SIDE * SIDE, max_length=SIDE * SIDE // 2, min_return=-1.0, max_return=1.0, alternates=True,
        stochastic=False, rewards_on_the_way=False, layout=ActionLayout("cells"))

    def __init__(self, generator: np.random.Generator) -> None:
        """`generator` is for games with chance; this one has none."""
        self.free, self.player = np.ones((SIDE, SIDE), np.bool_), 0

    def to_play(self) -> int:
        return self.player

    def second(self, cell: int) -> tuple[int, int]:
        """The other cell of a domino of the player to move."""
        row, column = divmod(cell, SIDE)
        return (row + 1, column) if self.player == 0 else (row, column + 1)

    def legal(self) -> list[int]:
        return [cell for cell in range(SIDE * SIDE) if max(self.second(cell)) < SIDE
                and self.free.flat[cell] and self.free[self.second(cell)]]

    def step(self, action: int) -> float:
        """The reward of the player who moved: 1 if the other one can't go on."""
        self.free[self.second(action)] = self.free.flat[action] = False
        self.player = 1 - self.player
        return 1.0 if self.over() else 0.0

    def over(self) -> bool:
        return not self.legal()

    def observe(self) -> NDArray[np.uint8]:
        """Free cells, and a plane that tells the players apart: their moves differ."""
        return np.stack([self.free, np.full_like(self.free, self.player == 1)]).astype(np.uint8)

    def render(self) -> str:
        return "\n".join("".join(".#"[not free] for free in row) for row in self.free)

    def action_name(self, action: int) -> str:
        return f"{'abcd'[action % SIDE]}{action // SIDE + 1}"


def main(run: Path, *options: str) -> int:
    """Check the game, train it, and measure the agent; the exit code of the first command that fails."""
    game = f"{Path(__file__)}:Domineering"
    check_game(game)
    print("the game keeps the contract")
    return muzero(["train", game, "--out", str(run), *options]) or muzero(
        ["evaluate", "match", str(run), "--own-game", game, "--against", "random", "--games", "40"])


if __name__ == "__main__":
    raise SystemExit(main(Path("checkpoints/runs/domineering"), "--minutes", "1"))
