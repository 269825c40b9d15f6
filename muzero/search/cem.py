"""The cross-entropy method: model-predictive control by sequences drawn again around the best ones.

As in iCEM (Pinneri et al. 2020), for actions of a finite set: each move of the plan has a distribution, the elites of a
round pull the distributions towards themselves, and stay among the candidates of the next. Only the own moves are
planned: an opponent replies for itself in every sequence, however good another answer would be for the plan.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from games.base import MaskArray
from muzero.config import SearchConfig
from muzero.config.planner_settings import CemSettings
from muzero.model.protocol import RootOutput, SearchModel
from muzero.search.improvement import Numbers, improved, prior
from muzero.search.over_model import OverModel, nothing_reserved
from muzero.search.sequences import STREAMS, Found, Shape, dealt, explored, rolled_out, shape
from selfplay.planner import Plan

__all__ = ["planner", "reserved"]

LEAST = 4
"""Sequences of a round: the best of fewer say little."""

reserved = nothing_reserved


class CemPlanner(OverModel):
    """Rounds of sequences, as many as the model calls allow."""

    def part(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], calls: int) -> Plan:
        root, logits, value = self.root(view, legal)
        settings = self.config.own(CemSettings)
        of = shape(settings.rounds, settings.horizon, self.replies(settings.replies), calls, LEAST)
        policy = explored(prior(logits, legal), legal, settings.explore)
        found = self._rounds(root, policy, seeds, of)
        visits, q = found.by_first(legal.shape[1])
        plan = improved(logits, value, legal, visits, q, found.returns, self.config, calls)
        self.lines += found.lines(plan.action)
        return plan

    def _rounds(self, root: RootOutput, policy: Numbers, seeds: NDArray[np.uint64], of: Shape) -> Found:
        """All sequences tried; policy [N, A] deals the first moves of the first round."""
        settings, actions = self.config.own(CemSettings), policy.shape[1]
        planned: Numbers | None = None
        tried: Found | None = None
        for turn in range(of.rounds):
            first = dealt(policy if planned is None else planned[:, 0], seeds, turn * STREAMS, of.sequences)
            given = None if planned is None else torch.as_tensor(planned, device=root.latent.device)
            found = Found.of(rolled_out(self.model, root, first, seeds, of, turn, given))
            tried = found if tried is None else tried.joined(found)
            old = frequencies(found, actions) if planned is None else planned
            elites = tried.best(max(1, round(settings.elites * of.sequences)))
            planned = settings.inertia * old + (1.0 - settings.inertia) * frequencies(elites, actions)
        assert tried is not None
        return tried


def frequencies(found: Found, actions: int) -> Numbers:
    """[N, H, A] how often each action was made at each move of the sequences."""
    share: Numbers = np.stack([(found.moves == action).mean(1) for action in range(actions)], -1)
    return share


def planner(model: SearchModel, config: SearchConfig, batch: int) -> CemPlanner:
    """See `planners.PlannerModule`."""
    del batch
    return CemPlanner(model, config)
