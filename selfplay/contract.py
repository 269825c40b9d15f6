"""The contract test of planners: checks what `selfplay.planner.Planner` promises, by calling one.

Raises PlannerError naming the broken promise and the first row that breaks it.
"""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import games
from games.base import GameBatch, MaskArray
from selfplay.planner import SUM_TOLERANCE, Plan, Planner

COLUMNS: dict[str, tuple[bool, tuple[type[np.generic], ...]]] = {
    "visits": (True, (np.int32,)), "policy": (True, (np.float32,)), "q": (True, (np.float32,)),
    "value": (False, (np.float32,)), "action": (False, (np.int32,)), "weights": (True, (np.int32, np.float32)),
}
"""The arrays of a plan: whether each has a number for every action, and which types it may have."""
SEEDS = 1 << 63
"""Seeds are below."""
ALL, BACKWARDS = slice(None), slice(None, None, -1)


class PlannerError(ValueError):
    """A planner breaks its contract."""


def check_planner(make: Callable[[int], Planner], game: str, *, size: int = 6, plies: int = 2, seed: int = 0,
                  calls: Callable[[], int] | None = None, budget: int | None = None) -> None:
    """Ask planners for plans in `size` positions of `game` after `plies` random moves.

    make: a planner for a batch of that many positions; all of them must give the same plans. calls: how many steps,
    each from one latent, their model has been asked for until now (`muzero.model.counted.CountedModel`); no plan may
    ask for more than its `work` for each position. budget: the most `work` (`search.simulations`), not checked if None.
    Neither is known to a planner's interface, so without them nothing is checked of it. Checks shapes and dtypes;
    that actions are legal; that policies sum to 1; that values are finite; that plans depend on nothing but view, legal
    actions and seeds, and have arrays of their own; that rows don't influence each other; that work is counted; that
    games and arrays that are given stay as they are. What the planner itself raises is passed on.
    """
    _check_numbers(size=(size, 1), plies=(plies, 0), seed=(seed, 0))
    batch = games.make(game, size, seed)
    _play(batch, plies, seed)
    planner = _made(make, size)
    seeds = np.arange(seed, seed + size, dtype=np.uint64)
    position = _Position(_view(planner, batch), batch.legal(), seeds, calls, budget)
    plan = position.plan(planner)
    kept = copy.deepcopy(plan)
    _same(plan, position.plan(planner), ALL, "asked again with the same seeds")
    position.plan(planner, BACKWARDS)
    _same(kept, plan, ALL, "its planner was asked for the next one: its arrays must be its own")
    planner.refresh()
    _same(plan, position.plan(planner), ALL, "asked again after a refresh without new weights")
    _same(plan, position.plan(_made(make, size)), ALL, "asked of another planner made alike")
    few = slice(0, max(1, size // 2))
    _same(plan, position.plan(planner, few), few, "asked without the other rows")
    if (work := position.plan(planner, effort=1e-9).work) > plan.work:
        raise PlannerError(f"work: expected at most {plan.work} for the least effort, got {work}")


@dataclass(frozen=True)
class _Position:
    """What a planner is asked about."""

    view: NDArray[Any]
    legal: MaskArray
    seeds: NDArray[np.uint64]
    calls: Callable[[], int] | None = None
    budget: int | None = None

    def plan(self, planner: Planner, rows: slice = ALL, effort: float = 1.0) -> Plan:
        """A sound plan for `rows`. Raises PlannerError for any other, and where the planner wrote into what it got."""
        given = {name: getattr(self, name)[rows].copy() for name in ("view", "legal", "seeds")}
        before = 0 if self.calls is None else self.calls()
        plan = planner.plan(given["view"], given["legal"], given["seeds"], effort)
        for name, array in given.items():
            if array.tobytes() != getattr(self, name)[rows].tobytes():
                raise PlannerError(f"{name}: expected it to be only read, got it changed by plan")
        check_plan(plan, self.legal[rows])
        self.check_work(plan, 0 if self.calls is None else self.calls() - before)
        return plan

    def check_work(self, plan: Plan, calls: int) -> None:
        """Check the work of a plan for which the model was asked for so many steps. Raises PlannerError."""
        if self.budget is not None and plan.work > self.budget:
            raise PlannerError(f"work: expected at most the budget, {self.budget}, got {plan.work}")
        if calls > (most := plan.work * len(plan.action)):
            raise PlannerError(f"model calls: expected at most {most}, work {plan.work} for each of "
                               f"{len(plan.action)} positions, got {calls}")


def check_plan(plan: Plan, legal: MaskArray) -> None:
    """Check one plan for positions with legal actions [N, A]. Raises PlannerError."""
    if not isinstance(plan, Plan):
        raise PlannerError(f"plan: expected a Plan, got {type(plan).__name__}")
    for name in COLUMNS:
        _check_column(name, getattr(plan, name), legal)
    if type(plan.work) is not int or plan.work < 0:
        raise PlannerError(f"work: expected an int of at least 0, got {plan.work!r} of type {type(plan.work).__name__}")
    inside = (plan.action >= 0) & (plan.action < legal.shape[1])
    _promise("action", f"expected a legal one, from 0 to {legal.shape[1] - 1}", inside)
    _promise("action", "expected a legal one", legal[np.arange(len(legal)), plan.action])
    _promise("policy", "expected finite chances of at least 0", (np.isfinite(plan.policy) & (plan.policy >= 0)).all(1))
    _promise("policy", "expected none on illegal actions", ~((plan.policy > 0) & ~legal).any(1))
    _promise("policy", "expected a sum of 1", np.abs(plan.policy.sum(1) - 1.0) <= SUM_TOLERANCE)
    _promise("visits", "expected none below 0", (plan.visits >= 0).all(1))
    _promise("visits", "expected none of illegal actions", ~((plan.visits > 0) & ~legal).any(1))
    _promise("visits", f"expected no more than work, {plan.work}", plan.visits.sum(1) <= plan.work)
    _promise("value", "expected a finite one", np.isfinite(plan.value))
    _promise("q", "expected finite ones of legal actions", (np.isfinite(plan.q) | ~legal).all(1))
    if (weights := plan.weights) is not None:
        _promise("weights", "expected finite ones of at least 0", (np.isfinite(weights) & (weights >= 0)).all(1))
        _promise("weights", "expected some on legal actions only",
                 (weights.sum(1) > 0) & ~((weights > 0) & ~legal).any(1))


def _check_column(name: str, array: object, legal: MaskArray) -> None:
    if name == "weights" and array is None:
        return
    per_action, types = COLUMNS[name]
    shape = legal.shape if per_action else legal.shape[:1]
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype not in types:
        got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        wanted = " or ".join(str(np.dtype(dtype)) for dtype in types)
        raise PlannerError(f"{name}: expected {wanted} {list(shape)}, got {got}")


def _promise(name: str, expected: str, kept: Any) -> None:
    if not kept.all():
        raise PlannerError(f"{name} of row {int(np.argmin(kept))}: {expected}")


def _same(one: Plan, other: Plan, rows: slice, how: str) -> None:
    """The `rows` of `one` are `other`."""
    for name in COLUMNS:
        wanted, found = getattr(one, name), getattr(other, name)
        if (wanted is None) != (found is None) or (wanted is not None and not np.array_equal(wanted[rows], found)):
            raise PlannerError(f"{name}: expected the same plan when {how}")


def _check_numbers(**given: tuple[int, int]) -> None:
    """Each of `given`, a number and its least."""
    for name, (number, least) in given.items():
        if not isinstance(number, numbers.Integral) or not least <= number < SEEDS:
            raise PlannerError(f"{name}: expected a whole number of at least {least}, got {number!r}")


def _made(make: Callable[[int], Planner], size: int) -> Planner:
    planner = make(size)
    if missing := [name for name in ("view", "plan", "refresh") if not callable(getattr(planner, name, None))]:
        raise PlannerError(f"{missing[0]}: expected a planner with this method, got {type(planner).__name__}")
    return planner


def _view(planner: Planner, batch: GameBatch) -> NDArray[Any]:
    """What the planner reads of the games, which it leaves as they are."""
    before = _standing(batch)
    view = planner.view(batch, batch.observe(), np.arange(batch.size))
    if not isinstance(view, np.ndarray) or view.shape[:1] != (batch.size,):
        got = f"{list(view.shape)}" if isinstance(view, np.ndarray) else type(view).__name__
        raise PlannerError(f"view: expected an array [{batch.size}, ...], got {got}")
    if _standing(batch) != before:
        raise PlannerError("view: expected games to be only read, got other positions after it")
    return view


def _standing(batch: GameBatch) -> list[bytes]:
    return [array.tobytes() for array in (batch.observe(), batch.legal(), batch.to_play(), batch.returns())]


def _play(batch: GameBatch, plies: int, seed: int) -> None:
    """Play random moves in every unfinished game; reset the games that end."""
    rng = np.random.default_rng(seed)
    for _ in range(plies):
        draws = np.where(batch.legal(), rng.random((batch.size, batch.spec.num_actions)), -1.0)
        step = batch.step(draws.argmax(1).astype(np.int32))
        over = (step.discount == 0.0) | step.truncated
        if over.any():
            batch.reset(over)
