"""Random shooting: model-predictive control by the best first move of many sampled sequences (Nagabandi et al. 2018).

First moves are dealt in proportion to the policy, mixed with a uniform choice; later ones are drawn from the policy of
each imagined position. An opponent replies for itself, and the value at the horizon stands for the rest of the game.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import MaskArray
from muzero.config import SearchConfig
from muzero.config.planner_settings import ShootingSettings
from muzero.model.protocol import SearchModel
from muzero.search.improvement import improved, prior
from muzero.search.over_model import OverModel, nothing_reserved
from muzero.search.sequences import Found, dealt, explored, rolled_out, shape
from selfplay.planner import Plan

__all__ = ["planner", "reserved"]

reserved = nothing_reserved


class ShootingPlanner(OverModel):
    """As many sequences as the model calls allow."""

    def part(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], calls: int) -> Plan:
        root, logits, value = self.root(view, legal)
        settings = self.config.own(ShootingSettings)
        of = shape(1, settings.horizon, self.replies(settings.replies), calls)
        policy = explored(prior(logits, legal), legal, settings.explore)
        found = Found.of(rolled_out(self.model, root, dealt(policy, seeds, 0, of.sequences), seeds, of))
        visits, q = found.by_first(legal.shape[1])
        plan = improved(logits, value, legal, visits, q, found.returns, self.config, calls)
        self.lines += found.lines(plan.action)
        return plan


def planner(model: SearchModel, config: SearchConfig, batch: int) -> ShootingPlanner:
    """See `planners.PlannerModule`."""
    del batch
    return ShootingPlanner(model, config)
