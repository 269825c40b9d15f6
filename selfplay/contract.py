"""The contract test of planners: checks what `selfplay.planner.Planner` promises, by calling one.

Raises PlannerError naming the broken promise and the first row that breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import games
from games.base import GameBatch, MaskArray
from selfplay.planner import Plan, Planner

SUM_TOLERANCE = 1e-3
"""How far a policy's sum may be from 1."""
ARRAYS = ("visits", "policy", "q", "value", "action")


class PlannerError(ValueError):
    """A planner breaks its contract."""


def check_planner(make: Callable[[int], Planner], game: str, *, size: int = 6, plies: int = 2, seed: int = 0) -> None:
    """Ask planners for plans in `size` positions of `game` after `plies` random moves.

    make: a planner for a batch of that many positions; all of them must give the same plans. Checks shapes and dtypes;
    that actions are legal; that policies sum to 1; that values are finite; that plans depend on nothing but view,
    legal actions and seeds; that rows don't influence each other; that work is counted.
    """
    batch = games.make(game, size, seed)
    _play(batch, plies, seed)
    legal, seeds = batch.legal(), np.arange(seed, seed + size, dtype=np.uint64)
    planner = make(size)
    view = planner.view(batch, batch.observe())
    plan = planner.plan(view, legal, seeds)
    check_plan(plan, legal)
    _same(plan, planner.plan(view, legal, seeds), slice(None), "asked again with the same seeds")
    _same(plan, make(size).plan(view, legal, seeds), slice(None), "asked of another planner made alike")
    few = slice(0, max(1, size // 2))
    _same(plan, planner.plan(view[few], legal[few], seeds[few]), few, "asked without the other rows")
    if not 1 <= planner.plan(view, legal, seeds, 1e-9).work <= plan.work:
        raise PlannerError(f"work: expected between 1 and {plan.work} for the least effort")


def check_plan(plan: Plan, legal: MaskArray) -> None:
    """Check one plan for positions with legal actions [N, A]. Raises PlannerError."""
    shapes = {"visits": legal.shape, "policy": legal.shape, "q": legal.shape, "value": legal.shape[:1],
              "action": legal.shape[:1]}
    for name, shape in shapes.items():
        array, dtype = getattr(plan, name), np.int32 if name in ("visits", "action") else np.float32
        if array.shape != shape or array.dtype != dtype:
            raise PlannerError(f"{name}: expected {np.dtype(dtype)} {list(shape)}, got {array.dtype} "
                               f"{list(array.shape)}")
    rows = np.arange(len(legal))
    _promise("action", "expected a legal one", legal[rows, np.clip(plan.action, 0, legal.shape[1] - 1)])
    _promise("policy", "expected none on illegal actions", ~((plan.policy > 0) & ~legal).any(1))
    _promise("policy", "expected a sum of 1", np.abs(plan.policy.sum(1) - 1.0) <= SUM_TOLERANCE)
    _promise("visits", "expected none of illegal actions", ~((plan.visits > 0) & ~legal).any(1))
    _promise("value", "expected a finite one", np.isfinite(plan.value))
    _promise("q", "expected finite ones of legal actions", (np.isfinite(plan.q) | ~legal).all(1))
    if plan.weights is not None:
        _promise("weights", "expected some on legal actions only",
                 (plan.weights.sum(1) > 0) & ~((plan.weights > 0) & ~legal).any(1))


def _promise(name: str, expected: str, kept: Any) -> None:
    if not kept.all():
        raise PlannerError(f"{name} of row {int(np.argmin(kept))}: {expected}")


def _same(one: Plan, other: Plan, rows: slice, how: str) -> None:
    for name in ARRAYS:
        if not np.array_equal(getattr(one, name)[rows], getattr(other, name)):
            raise PlannerError(f"{name}: expected the same plan when {how}")


def _play(batch: GameBatch, plies: int, seed: int) -> None:
    """Play random moves in every unfinished game; reset the games that end."""
    rng = np.random.default_rng(seed)
    for _ in range(plies):
        draws = np.where(batch.legal(), rng.random((batch.size, batch.spec.num_actions)), -1.0)
        step = batch.step(draws.argmax(1).astype(np.int32))
        over = (step.discount == 0.0) | step.truncated
        if over.any():
            batch.reset(over)
