"""The reactive policy as a planner: the network's own policy and value, without a single step of the dynamics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import MaskArray
from muzero.config import SearchConfig
from muzero.model.protocol import SearchModel
from muzero.search.improvement import prior
from muzero.search.over_model import OverModel, nothing_reserved
from selfplay.planner import Plan

__all__ = ["planner", "reserved"]

reserved = nothing_reserved


class PolicyPlanner(OverModel):
    """The likeliest action; a temperature draws from the policy itself. No model calls after the root."""

    def part(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], calls: int) -> Plan:
        del seeds, calls
        _, logits, value = self.root(view, legal)
        policy = prior(logits, legal).astype(np.float32)
        action = policy.argmax(1).astype(np.int32)
        self.lines += [[int(move)] for move in action]
        q = np.where(legal, value[:, None], np.float32(0))
        return Plan(np.zeros(legal.shape, np.int32), policy, q, value, action, weights=policy, work=0)


def planner(model: SearchModel, config: SearchConfig, batch: int) -> PolicyPlanner:
    """See `planners.PlannerModule`."""
    del batch
    return PolicyPlanner(model, config)
