"""Sources of actions: who is asked for a continuation's moves, and for which games."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_agents import agent

import games
from games.base import MaskArray
from muzero.agent import Agent, Analysis
from muzero.validation.movers import SIMULATIONS, SOURCES, movers

ROWS = np.array([True, False, True])
BEFORE, FIRST, AFTER = "before", "first", "after"


class Asked(Agent):
    """Counts who is asked about how many positions, and expects one move of every policy."""

    def __init__(self) -> None:
        made = agent("tic_tac_toe")
        super().__init__(made.model, made.config, made.name, made.step, made.threads)
        self.asked: Counter[str] = Counter()

    def raw(self, obs: NDArray[Any], legal: MaskArray) -> Any:
        self.asked["policy"] += len(obs)
        return super().raw(obs, legal)

    def search(self, obs: NDArray[Any], legal: MaskArray, *, simulations: int | None = None, seed: int = 0) -> Analysis:
        found = super().search(obs, legal, simulations=simulations, seed=seed)
        self.asked["policy"] = 0
        self.asked[f"search of {simulations}"] += len(obs)
        return found


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_asks_its_own(source: str) -> None:
    policy, search, nobody = {"policy": 2}, {f"search of {SIMULATIONS}": 2}, dict[str, int]()
    first = {"played": search, "policy": policy, "random": nobody}[source]
    after = {"played": search, "policy": policy, "random": policy}[source]
    for when, expected in ((BEFORE, policy), (FIRST, first), (AFTER, after)):
        who, batch = Asked(), games.make("tic_tac_toe", 3)
        batch.step(np.array([0, 4, 8], np.int32))
        actions = getattr(movers(source, who), when)(batch, ROWS, np.random.default_rng(0))  # type: ignore[arg-type]
        assert batch.legal()[np.arange(3), actions][ROWS].all()
        assert +who.asked == expected, when


def test_moves_are_drawn_from_the_policy_of_their_own_position() -> None:
    who, batch = agent("tic_tac_toe"), games.make("tic_tac_toe", 3)
    batch.step(np.array([0, 4, 8], np.int32))
    policy, _ = who.raw(who.observe(batch)[ROWS], batch.legal()[ROWS])
    rng, move, counts = np.random.default_rng(0), movers("policy", who).after, np.zeros((3, 9))
    for _ in range(400):
        counts[np.arange(3), move(batch, ROWS, rng)] += 1
    np.testing.assert_allclose(counts[ROWS] / 400, policy, atol=0.08)
    assert counts[0, 0] == counts[2, 8] == 0, "taken in one game, free in the other"
    assert counts[0, 8] > 0 < counts[2, 0]
