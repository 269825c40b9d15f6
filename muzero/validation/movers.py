"""Sources of actions for model validation: the agent's search, its policy network, or chance."""

from __future__ import annotations

from typing import Literal

import numpy as np

from games.base import FloatArray, GameBatch, IntArray, MaskArray
from muzero.agent import Agent
from muzero.validation.continuations import Mover, Movers
from selfplay.actor import draw_legal, draw_weighted

Source = Literal["played", "policy", "random"]
SOURCES: tuple[Source, ...] = ("played", "policy", "random")
"""Who chooses a continuation's actions: a short search; the policy network; one random move, then the policy network.
All continuations begin where the policy network leads."""
SIMULATIONS = 16
"""Of the short search: games like those that a search plays, at a small price."""
TITLES: dict[Source, str] = {
    "played": f"moves of a search of {SIMULATIONS} simulations", "policy": "moves of the policy network",
    "random": "one random move, then moves of the policy network"}
"""The sources in words."""


def movers(source: Source, agent: Agent) -> Movers:
    """Who moves in the continuations of `source`."""
    policy, search = policy_of(agent), search_of(agent)
    return {"played": Movers(policy, search, search), "policy": Movers(policy, policy, policy),
            "random": Movers(policy, random_move, policy)}[source]


def policy_of(agent: Agent) -> Mover:
    """Draws from the policy network."""
    def move(batch: GameBatch, rows: MaskArray, rng: np.random.Generator) -> IntArray:
        policy, _ = agent.raw(agent.observe(batch)[rows], batch.legal()[rows])
        return _drawn(policy, rows, rng)
    return move


def search_of(agent: Agent) -> Mover:
    """Draws from the improved policy of a short search."""
    def move(batch: GameBatch, rows: MaskArray, rng: np.random.Generator) -> IntArray:
        seed = int(rng.integers(2**31))
        found = agent.search(agent.observe(batch)[rows], batch.legal()[rows], simulations=SIMULATIONS, seed=seed)
        return _drawn(found.result.policy, rows, rng)
    return move


def random_move(batch: GameBatch, rows: MaskArray, rng: np.random.Generator) -> IntArray:
    """A random legal move."""
    return draw_legal(batch.legal(), rng)


def _drawn(policy: FloatArray, rows: MaskArray, rng: np.random.Generator) -> IntArray:
    """Actions [N], in `rows` in proportion to their policies."""
    actions = np.zeros(len(rows), np.int32)
    actions[rows] = draw_weighted(policy, 1.0, rng)
    return actions
