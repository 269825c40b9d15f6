"""An environment of your own, in Gymnasium's form: it is trained on as it is.

    python docs/examples/own_environment.py         # a minute on one core
    muzero train 'docs/examples/own_environment.py:Thermostat(steps=60)' --minutes 1

A room is heated or not, step by step, while it is cold outside. What is paid is how near 20 degrees it stays; an
`action_mask` keeps the heating from being switched on when it is already too hot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from muzero.cli import main as muzero

WANTED = 20.0


class Thermostat(gymnasium.Env[NDArray[np.float32], int]):
    """Observation [2]: degrees inside and outside. Action 0: the heating is off, 1: it is on."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, steps: int = 40) -> None:
        self.steps = steps
        self.observation_space = Box(-50.0, 50.0, (2,), np.float32)
        self.action_space = Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A new day. Chance comes from `np_random`, which Gymnasium seeds: equal seeds, equal games."""
        super().reset(seed=seed)
        self.inside, self.outside = self.np_random.uniform([5.0, -10.0], [25.0, 10.0])
        self.moves = 0
        return self.seen(), self.info()

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self.inside += 0.1 * (self.outside - self.inside) + 4.0 * action
        self.moves += 1
        reward = 1.0 - min(1.0, abs(self.inside - WANTED) / 5.0)
        return self.seen(), reward, self.moves == self.steps, False, self.info()

    def seen(self) -> NDArray[np.float32]:
        return np.array([self.inside, self.outside], np.float32)

    def info(self) -> dict[str, Any]:
        """Legal actions, for environments that have illegal ones; others leave the mask out."""
        return {"action_mask": np.array([1, self.inside < WANTED + 5.0], np.int8)}


def main(run: Path, *options: str) -> int:
    """Train, then measure the agent and random play; the exit code of the first command that fails."""
    game = f"{Path(__file__)}:Thermostat"
    return (
        muzero(["train", game, "--out", str(run), *options])
        or muzero(["evaluate", "episodes", str(run), "--own-game", game, "--episodes", "20"])
        or muzero(["evaluate", "episodes", game, "--player", "random", "--episodes", "20"])
    )


if __name__ == "__main__":
    raise SystemExit(main(Path("checkpoints/runs/thermostat"), "--train.clock", "cpu", "--minutes", "1"))
