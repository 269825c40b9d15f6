"""Choice of the planner that actors, agents and reanalysis play with.

A planner is one entry in `muzero.config.kinds.PLANNERS`, by the name that `search.algorithm` gives it, and the module
it names, which holds the functions `planner` and `reserved` (`PlannerModule`). `selfplay.contract.check_planner` is its
contract test.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple, Protocol, cast

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


class Reserved(NamedTuple):
    """What a planner holds as long as it is there."""

    host_bytes: int
    latents: int
    """kept where the model computes"""


class PlannerModule(Protocol):
    """What the module of a planner holds."""

    def planner(self, model: SearchModel, config: SearchConfig, batch: int) -> ModelPlanner:
        """A planner for up to `batch` positions at once."""

    def reserved(self, config: SearchConfig, actions: int, batch: int) -> Reserved:
        """What that planner will hold in a game of so many actions, told before there is one: games are chosen by it.

        config.threads may be 0, left to the machine.
        """


def planner(model: SearchModel, config: SearchConfig, batch: int) -> ModelPlanner:
    """The planner that `config` asks for, for up to `batch` positions at once."""
    return _module(config).planner(model, config, batch)


def reserved(config: SearchConfig, actions: int, batch: int) -> Reserved:
    """What the planner that `config` asks for will hold, for up to `batch` positions at once."""
    return _module(config).reserved(config, actions, batch)


def _module(config: SearchConfig) -> PlannerModule:
    return cast(PlannerModule, importlib.import_module(PLANNERS[config.algorithm].module))
