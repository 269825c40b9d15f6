"""The border of a run: what a source of games delivers, or wants kept, looked at before the run takes it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

from muzero.training.source import ActorError, Delivery, Files, SnapshotError, Source
from selfplay.trajectory_check import TrajectoryCheck, TrajectoryError

OWN_FILES = frozenset({"weights", "trained", "optimizer", "replay", "held_out", "reanalysing"})
"""Tensor files of a checkpoint that the run itself writes."""
OWN_VALUES = frozenset({
    "drawn", "games", "cut", "added", "written", "max_priority", "held_out", "rng", "torch_rng",
    "reanalysis"})
"""JSON values of a checkpoint that the run itself writes."""


def collect(source: Source, wait: bool, check: TrajectoryCheck) -> list[Delivery]:
    """What `source.collect` gave, all of it sound. Raises ActorError naming what isn't, before any game is taken."""
    found = source.collect(wait)
    try:
        deliveries = _deliveries(found)
        check([game for delivery in deliveries for game in delivery.games])
    except TrajectoryError as error:
        raise ActorError(f"{type(source).__name__}.collect: {error}") from error
    return deliveries


def _deliveries(found: object) -> list[Delivery]:
    if not isinstance(found, Iterable):
        raise TrajectoryError(f"expected a list of Delivery, got {type(found).__name__}")
    deliveries = list(found)
    for delivery in deliveries:
        if not isinstance(delivery, Delivery):
            raise TrajectoryError(f"expected a list of Delivery, got one with {type(delivery).__name__}")
        _check_counts(delivery)
    return deliveries


def _check_counts(delivery: Delivery) -> None:
    for name in ("games", "returns"):
        if not isinstance(held := getattr(delivery, name), list):
            raise TrajectoryError(f"{name}: expected a list, got {type(held).__name__}")
    for name in ("moves", "simulations", "cut"):
        if not isinstance(count := getattr(delivery, name), numbers.Integral) or count < 0:
            raise TrajectoryError(f"{name}: expected a whole number of at least 0, got {count!r}")
    for paid in delivery.returns:
        if not isinstance(paid, numbers.Real) or not math.isfinite(paid):
            raise TrajectoryError(f"returns: expected finite numbers, got {paid!r}")
    if not delivery.cut <= len(delivery.returns) <= len(delivery.games):
        raise TrajectoryError("expected at least as many games as returns, and as returns of games that were cut, got "
                              f"{len(delivery.games)}, {len(delivery.returns)} and {delivery.cut}")


def snapshot(source: Source) -> tuple[Files, dict[str, Any]]:
    """What `source.snapshot` gave, under names of its own. Raises SnapshotError."""
    found, where = source.snapshot(), f"{type(source).__name__}.snapshot"
    if not (isinstance(found, tuple) and len(found) == 2 and all(isinstance(held, dict) for held in found)):
        raise SnapshotError(f"{where}: expected two dictionaries, tensor files and JSON values, got {str(found)[:100]}")
    for what, held, own in (("a tensor file", found[0], OWN_FILES), ("a value", found[1], OWN_VALUES)):
        if taken := sorted(own & held.keys()):
            raise SnapshotError(f"{where}: expected {what} to have a name of its own, got {taken[0]!r}, which the run "
                                f"itself keeps (as it does {', '.join(sorted(own - {taken[0]}))})")
    return found
