"""Selection of the planner for actors, agents and reanalysis.

A planner is an entry in `muzero.config.kinds.PLANNERS`, under its name in `search.algorithm`, and the module it names,
which has the functions `planner` and `reserved` (`PlannerModule`). `selfplay.contract.check_planner` is its contract
test.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple, Protocol, cast

from muzero.config import SearchConfig
from muzero.config.kinds import PLANNERS
from muzero.errors import SeamError
from muzero.model.masked import masked
from muzero.model.protocol import SearchModel
from muzero.search.inference import SearchTime
from selfplay.planner import Planner


class ModelPlanner(Planner, Protocol):
    """A planner over a model, which also reports its expected line, time and memory."""

    model: SearchModel

    @property
    def spent(self) -> SearchTime:
        """Where the time of its plans went."""

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """Bytes reserved on the host, and on the model's device."""

    def variation(self, row: int) -> list[int]:
        """The line that the last plan expects in `row`, starting with the move it would play."""


class Reserved(NamedTuple):
    """Memory held by a planner."""

    host_bytes: int
    latents: int
    """number of latents, on the model's device"""


class PlannerModule(Protocol):
    """The interface of a planner's module."""

    def planner(self, model: SearchModel, config: SearchConfig, batch: int) -> ModelPlanner:
        """A planner for up to `batch` positions at once."""

    def reserved(self, config: SearchConfig, actions: int, batch: int) -> Reserved:
        """The memory that such a planner would hold, given the number of actions; used to choose the number of games.

        config.threads may be 0 (automatic).
        """


PARTS = ("model", "view", "plan", "refresh", "variation", "spent", "memory_bytes")
"""Methods and attributes of a `ModelPlanner`."""


def planner(model: SearchModel, config: SearchConfig, batch: int) -> ModelPlanner:
    """The planner that `config` selects, for up to `batch` positions at once."""
    seen = masked(model, config.legality.least, needed=PLANNERS[config.algorithm].invents)
    made = _module(config).planner(seen, config, batch)
    if missing := [name for name in PARTS if not hasattr(made, name)]:
        raise SeamError(f"search.algorithm {config.algorithm}: expected a planner with {missing[0]}, got "
                        f"{type(made).__name__}; muzero.search.planners.ModelPlanner says what it is")
    return made


def reserved(config: SearchConfig, actions: int, batch: int) -> Reserved:
    """The memory that the planner selected by `config` would hold, for up to `batch` positions at once."""
    return _module(config).reserved(config, actions, batch)


def _module(config: SearchConfig) -> PlannerModule:
    return cast(PlannerModule, importlib.import_module(PLANNERS[config.algorithm].module))
