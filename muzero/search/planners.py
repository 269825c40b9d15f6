"""Choice of the planner that actors, agents and reanalysis play with.

A planner is one entry in `muzero.config.kinds.PLANNERS`, by the name that `search.algorithm` gives it, and the module
it names, which holds a function `planner` (`PlannerModule`). `selfplay.contract.check_planner` is its contract test.
"""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from muzero.config import SearchConfig
from muzero.config.kinds import PLANNERS
from muzero.model.protocol import SearchModel
from muzero.search.inference import Spent
from selfplay.planner import Planner


class ModelPlanner(Planner, Protocol):
    """A planner over a model, which can say what it thinks and what it takes."""

    model: SearchModel

    @property
    def spent(self) -> Spent:
        """Where the time of its plans went."""

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """Bytes it has reserved on the host, and where the model computes."""

    def variation(self, row: int) -> list[int]:
        """The moves that the last plan expects in `row`, from the one it would play."""


class PlannerModule(Protocol):
    """What the module of a planner holds."""

    def planner(self, model: SearchModel, config: SearchConfig, batch: int) -> ModelPlanner:
        """A planner for up to `batch` positions at once."""


def planner(model: SearchModel, config: SearchConfig, batch: int) -> ModelPlanner:
    """The planner that `config` asks for, for up to `batch` positions at once."""
    module = cast(PlannerModule, importlib.import_module(PLANNERS[config.algorithm].module))
    return module.planner(model, config, batch)
