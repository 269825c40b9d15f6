"""An agent that plays what it was told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

import games as engines
from muzero.config import Config


class Scripted:
    """Plays the first legal move, or those it was told; believes whatever the test says."""

    name = "scripted"

    def __init__(self, game: str, moves: tuple[int, ...] = (), variation: tuple[int, ...] = ()) -> None:
        self.spec, self.config = engines.spec(game), Config(game=game)
        self.moves = list(moves)
        self.variation = list(variation)
        self.asked: list[int | None] = []

    def observe(self, batch: Any) -> Any:
        return batch.observe()

    def raw(self, obs: Any, legal: Any) -> Any:
        raise NotImplementedError

    def search(self, obs: Any, legal: Any, *, simulations: int | None = None, seed: int = 0) -> Any:
        self.asked.append(simulations)
        action = self.moves.pop(0) if self.moves else int(legal[0].argmax())
        assert legal[0, action]
        visits = np.zeros(legal.shape, np.int32)
        visits[0, action] = 10
        uniform = (legal / legal.sum()).astype(np.float32)
        result = SimpleNamespace(
            visits=visits, policy=uniform, q=np.full(legal.shape, 0.5, np.float32),
            value=np.array([0.5], np.float32), action=np.array([action], np.int32),
        )
        variation = self.variation or [action]
        return SimpleNamespace(
            result=result, prior=uniform, raw_value=np.zeros(1, np.float32), variations=[variation]
        )
