"""One-step policy improvement over the model: the operator of Muesli (Hessel et al. 2021) and ROSMO (Liu et al. 2023).

Each of the likeliest actions is tried once: q(a) = r(s, a) + d v(s'), and the policy becomes pi(a) exp(clip(A(a) / T)),
A = q - v. Muesli clips at 1 and divides by the advantages' own spread; ROSMO doesn't clip.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from games.base import MaskArray
from muzero.config import SearchConfig
from muzero.config.planner_settings import OneStepSettings
from muzero.model.protocol import SearchModel
from muzero.search.improvement import prior, weighed
from muzero.search.inference import host
from muzero.search.over_model import OverModel, finite, nothing_reserved
from selfplay.planner import Plan

__all__ = ["planner", "reserved"]

reserved = nothing_reserved


class OneStepPlanner(OverModel):
    """As many actions as there are model calls, the likeliest first."""

    def part(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], calls: int) -> Plan:
        del seeds
        root, logits, value = self.root(view, legal)
        count, rows = min(calls, legal.shape[1]), np.arange(len(legal))[:, None]
        tried = np.argsort(-np.where(legal, logits, -np.inf), 1, kind="stable")[:, :count]
        # In place of an illegal action the likeliest one is asked again: a model of the rules knows no other way.
        asked = np.where(legal[rows, tried], tried, tried[:, :1])
        actions = torch.as_tensor(asked, device=root.latent.device)
        latent, *context = (part.repeat_interleave(count, 0) for part in (root.latent, *root.context))
        output = self.model.step(latent, actions.flatten(), *context)
        found = host(output.reward) + host(output.discount) * host(output.value)
        finite("rewards or values", found)
        visits, q = np.zeros(legal.shape, np.int32), np.repeat(value[:, None].astype(np.float64), legal.shape[1], 1)
        q[rows, tried], visits[rows, tried] = found.reshape(len(legal), count), 1
        visits[~legal] = 0
        settings = self.config.own(OneStepSettings)
        advantage = np.clip((q - value[:, None]) / settings.temperature, -settings.clip, settings.clip)
        plan = weighed(prior(logits, legal), q, advantage, legal, visits, count)
        self.lines += [[int(move)] for move in plan.action]
        return plan


def planner(model: SearchModel, config: SearchConfig, batch: int) -> OneStepPlanner:
    """See `planners.PlannerModule`."""
    del batch
    return OneStepPlanner(model, config)
