"""Tree search as a planner: Gumbel MuZero or pUCT, as configured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cpp_mcts
from games.base import GameBatch, MaskArray
from muzero.config import SearchConfig
from muzero.model.protocol import SearchModel
from muzero.search.inference import SearchTime
from muzero.search.nodes import Nodes
from muzero.search.planners import Reserved
from muzero.search.tree import TreeSearch, groups_on
from selfplay.planner import Plan


class TreePlanner:
    """A tree search over one model, for up to `batch` positions at once. A `planners.ModelPlanner`."""

    def __init__(self, model: SearchModel, config: SearchConfig, batch: int) -> None:
        self.model, self.config = model, config
        self.search = TreeSearch(config, model.num_actions, batch, groups_on(model.device))

    @property
    def spent(self) -> SearchTime:
        """Where the time of its searches went."""
        return self.search.spent

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        return self.model.view(games, obs, numbers)

    def plan(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], effort: float = 1.0) -> Plan:
        """Search with the fraction `effort` of the configured simulations, at least one.

        Raises SearchError for model outputs that no search can use.
        """
        simulations = max(1, round(effort * self.config.simulations))
        return self.search.run(self.model, view, legal, seeds, simulations)

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """As `TreeSearch.memory_bytes`."""
        return self.search.memory_bytes

    def variation(self, row: int) -> list[int]:
        """The line that the last search expects in `row`, starting with the move it would play."""
        return self.search.variation(row)

    def nodes(self, row: int) -> Nodes:
        """The tree that the last search has left in `row`."""
        return self.search.nodes(row)

    def refresh(self) -> None:
        self.model.refresh()


def planner(model: SearchModel, config: SearchConfig, batch: int) -> TreePlanner:
    """See `planners.PlannerModule`."""
    return TreePlanner(model, config, batch)


def reserved(config: SearchConfig, actions: int, batch: int) -> Reserved:
    """See `planners.PlannerModule`: the trees, and a latent for each root and each simulation."""
    settings = replace(config, threads=max(1, config.threads)).tree_settings
    trees = cpp_mcts.memory_needed(batch, actions, config.simulations, **settings)
    return Reserved(trees, (config.simulations + 1) * batch)
