"""The interface between self-play and planning: a `Planner` turns positions into a `Plan`.

Shape letters: N positions, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, IntArray, MaskArray

SUM_TOLERANCE = 1e-3
"""How far a policy's sum may be from 1."""


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
    """[N] the planner's choice"""
    weights: IntArray | FloatArray | None = None
    """[N, A] what an action is sampled from with a temperature, such as visit counts; None if `action` is a sample
    already"""
    work: int = 0
    """simulations (or samples) spent per position"""

    @staticmethod
    def joined(plans: Sequence[Plan]) -> Plan:
        """The plans of several batches, concatenated."""
        def column(name: str) -> Any:
            parts = [getattr(plan, name) for plan in plans]
            return None if parts[0] is None else np.concatenate(parts)

        return Plan(column("visits"), column("policy"), column("q"), column("value"), column("action"),
                    column("weights"), plans[0].work)


class Planner(Protocol):
    """Chooses actions in N positions at once.

    Equal views, legal actions and seeds give equal plans, and no row influences another.
    """

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """The planner's input for N games [N, ...], made from the games or from their observations [N, *O]. numbers [N]
        tell an actor's games apart: each has one of its own, from its first move to its last."""

    def plan(
        self, view: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], effort: float = 1.0
    ) -> Plan:
        """Plan for positions view [N, ...] with legal actions bool [N, A]; seeds [N] seed each row's randomness.

        effort: fraction of the planner's full work, in (0, 1].
        """

    def refresh(self) -> None:
        """Pick up the new weights after its model has changed."""
