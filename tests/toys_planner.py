"""A toy planner in one file: the network's own policy, without a search."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from games.base import GameBatch, MaskArray
from muzero.config import SearchConfig
from muzero.model.protocol import SearchModel
from muzero.search.inference import SearchTime, host
from muzero.search.planners import Reserved
from selfplay.planner import Plan


class PolicyPlanner:
    """Plays the likeliest action."""

    memory_bytes = (0, 0)

    def __init__(self, model: SearchModel) -> None:
        self.model, self.spent = model, SearchTime()
        self._action = np.zeros(0, np.int32)

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        return self.model.view(games, obs, numbers)

    def plan(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], effort: float = 1.0) -> Plan:
        with torch.inference_mode():
            output = self.model.root(torch.as_tensor(view, device=self.model.device), torch.as_tensor(legal))
        logits, value = np.where(legal, host(output.logits), -np.inf), host(output.value)
        policy = np.exp(logits - logits.max(1, keepdims=True))
        policy = (policy / policy.sum(1, keepdims=True)).astype(np.float32)
        self._action = policy.argmax(1).astype(np.int32)
        q = np.repeat(value[:, None], legal.shape[1], 1)
        return Plan(np.zeros(legal.shape, np.int32), policy, q, value, self._action, weights=policy, work=1)

    def variation(self, row: int) -> list[int]:
        return [int(self._action[row])]

    def refresh(self) -> None:
        self.model.refresh()


def planner(model: SearchModel, config: SearchConfig, batch: int) -> PolicyPlanner:
    return PolicyPlanner(model)


def reserved(config: SearchConfig, actions: int, batch: int) -> Reserved:
    return Reserved(0, 0)
