"""The seam between playing and planning: a `Planner` turns positions into a `Plan`, and self-play knows no more of it.

Shape letters: N positions, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, IntArray, MaskArray


@dataclass(frozen=True)
class Plan:
    """What a planner found for N positions."""

    visits: IntArray
    """[N, A] how often each action was tried"""
    policy: FloatArray
    """[N, A] the improved policy: the training target"""
    q: FloatArray
    """[N, A] value of each action for the player to move"""
    value: FloatArray
    """[N] value of the position for the player to move"""
    action: IntArray
    """[N] the action the planner would play"""
    weights: IntArray | FloatArray | None = None
    """[N, A] what a temperature draws an action from; None where `action` is a draw already"""
    work: int = 0
    """simulations (or samples) spent on each position"""

    @staticmethod
    def joined(plans: Sequence[Plan]) -> Plan:
        """The plans of several batches as one, in their order."""
        def column(name: str) -> Any:
            parts = [getattr(plan, name) for plan in plans]
            return None if parts[0] is None else np.concatenate(parts)

        return Plan(column("visits"), column("policy"), column("q"), column("value"), column("action"),
                    column("weights"), plans[0].work)


class Planner(Protocol):
    """Chooses actions in N positions at once.

    Equal views, legal actions and seeds give equal plans, and no row influences another.
    """

    def view(self, games: GameBatch, obs: NDArray[Any]) -> NDArray[Any]:
        """What its model reads of N games [N, ...], given them and their observations [N, *O]."""

    def plan(
        self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], effort: float = 1.0
    ) -> Plan:
        """Plans for positions view [N, ...] with legal actions bool [N, A]; seeds [N] are their random streams.

        effort: share of the planner's full work, in (0, 1].
        """

    def refresh(self) -> None:
        """Take over the weights of its model, which have changed."""
