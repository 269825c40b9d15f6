"""What every planner without a tree shares: its model, its root, its clock, and chunks of rows that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, MaskArray
from muzero.config import SearchConfig
from muzero.model.protocol import RootOutput, SearchError, SearchModel
from muzero.search.inference import SearchTime, host
from muzero.search.planners import Reserved
from selfplay.planner import Plan

ROWS = 4_096
"""Latents under way at once."""


class OverModel:
    """A planner over one model, of whose plans nothing is kept but the expected lines. A `planners.ModelPlanner`."""

    memory_bytes = (0, 0)

    def __init__(self, model: SearchModel, config: SearchConfig) -> None:
        self.model, self.config, self.spent = model, config, SearchTime()
        self.lines: list[list[int]] = []

    def replies(self, wanted: int) -> int:
        """Of an opponent to be tried at each of its moves: 1, which costs nothing more, in a game without one."""
        return 1 if self.model.players == 1 else wanted

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        return self.model.view(games, obs, numbers)

    def refresh(self) -> None:
        self.model.refresh()

    def variation(self, row: int) -> list[int]:
        """The moves that the last plan expects in `row`, from the one it would play."""
        return self.lines[row]

    def budget(self, effort: float) -> int:
        """Model calls a position: the share `effort` of the configured number."""
        return max(1, round(effort * self.config.simulations))

    def plan(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], effort: float = 1.0) -> Plan:
        """Plans with the share `effort` of the configured model calls. Raises SearchError for numbers of the model that
        no plan can be made of, ValueError for a row without a legal move."""
        if not (some := legal.any(1)).all():
            raise ValueError(f"legal: expected at least one legal action, got none in row {int(np.argmin(some))}")
        calls, self.lines = self.budget(effort), []
        self.spent.start()
        with torch.inference_mode():
            plans = [self.part(view[rows], legal[rows], seeds[rows], calls) for rows in self.chunks(len(legal), calls)]
        self.spent.network += self.spent.lap()
        return Plan.joined(plans)

    def chunks(self, count: int, calls: int) -> Iterator[slice]:
        """Rows of `count` whose latents fit in memory together, for so many calls each."""
        size = max(1, ROWS // calls)
        return (slice(start, start + size) for start in range(0, count, size))

    def part(self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], calls: int) -> Plan:
        """The plan for a few rows, whose expected lines go to `lines`."""
        raise NotImplementedError

    def root(self, view: NDArray[Any], legal: MaskArray) -> tuple[RootOutput, FloatArray, FloatArray]:
        """The model's root, its logits [N, A] and value [N]. Raises SearchError."""
        device = self.model.device
        root = self.model.root(torch.as_tensor(view, device=device), torch.as_tensor(legal, device=device))
        logits, value = host(root.logits), host(root.value)
        finite("logits or values", logits, value)
        return root, logits, value


def nothing_reserved(config: SearchConfig, actions: int, batch: int) -> Reserved:
    """What a planner holds that keeps nothing from one plan to the next. See `planners.PlannerModule`."""
    del config, actions, batch
    return Reserved(0, 0)


def finite(what: str, *numbers: NDArray[Any]) -> None:
    """Raises SearchError unless all are."""
    if not all(np.isfinite(part).all() for part in numbers):
        raise SearchError(f"the model's outputs can't be used: {what}: expected finite numbers, got nan or infinity")
