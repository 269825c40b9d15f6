"""A toy planner with settings of its own: the network's policy to a power, without a search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from toys_cli import Sharpness
from toys_planner import PolicyPlanner, reserved

from games.base import MaskArray
from muzero.config import SearchConfig
from muzero.model.protocol import SearchModel
from selfplay.planner import Plan

__all__ = ["planner", "reserved"]


class SharpPlanner(PolicyPlanner):
    """Plays the likeliest action, of which it is surer than the network."""

    def __init__(self, model: SearchModel, settings: Sharpness) -> None:
        super().__init__(model)
        self.settings = settings

    def plan(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], effort: float = 1.0) -> Plan:
        plan = super().plan(view, legal, seeds, effort)
        policy = plan.policy**self.settings.power * legal
        policy = (policy / policy.sum(1, keepdims=True)).astype(np.float32)
        return replace(plan, policy=policy, weights=policy)


def planner(model: SearchModel, config: SearchConfig, batch: int) -> SharpPlanner:
    return SharpPlanner(model, config.own(Sharpness))
