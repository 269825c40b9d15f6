"""Aggregate scores over games and seeds, with bootstrap intervals (Agarwal et al. 2021, "Deep Reinforcement Learning
at the Edge of the Statistical Precipice").

Scores are human-normalised: 0 for random play, 1 for a human. With few seeds the median is unstable; the interquartile
mean (IQM) leaves out the lowest and highest quarter of all runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 5_000
CONFIDENCE = 0.95
RESAMPLES_AT_ONCE = 500
"""Resamples drawn at a time."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number and its bootstrap interval."""

    value: float
    low: float
    high: float


class UnevenError(ValueError):
    """Games have different numbers of seeds, so their weights would be arbitrary."""


def aggregate(scores: Mapping[str, Sequence[float]], seed: int = 0) -> dict[str, Estimate]:
    """Mean, median, IQM and optimality gap of normalised scores by game, with stratified bootstrap intervals.

    Seeds are resampled within each game, games aren't: the interval holds for these games only. Raises UnevenError.
    """
    counts = {game: len(values) for game, values in scores.items()}
    if not counts or 0 in counts.values() or len(set(counts.values())) != 1:
        told = ", ".join(f"{game} {count}" for game, count in counts.items())
        raise UnevenError(f"expected the same number of seeds for each game, got {told or 'none'}")
    table = np.array([list(values) for values in scores.values()], np.float64).T
    found = aggregates(table[None])
    drawn = _resampled(table, np.random.default_rng(seed))
    tail = 50.0 * (1.0 - CONFIDENCE)
    return {name: Estimate(float(values[0]), *np.percentile(drawn[name], [tail, 100.0 - tail]).tolist())
            for name, values in found.items()}


def aggregates(tables: Scores) -> dict[str, Scores]:
    """Each aggregate [R] of tables [R, seeds, games]."""
    return {
        "mean": tables.mean((1, 2)),
        "median": np.median(tables.mean(1), 1),
        "iqm": interquartile_mean(tables.reshape(len(tables), -1)),
        "optimality_gap": 1.0 - np.minimum(tables, 1.0).mean((1, 2)),
    }


def interquartile_mean(values: Scores) -> Scores:
    """Mean [R] of values [R, n] without the lowest and the highest n // 4 of each row."""
    cut = values.shape[1] // 4
    middle: Scores = np.sort(values, 1)[:, cut : values.shape[1] - cut].mean(1)
    return middle


def _resampled(table: Scores, rng: np.random.Generator) -> dict[str, Scores]:
    """`aggregates` of `RESAMPLES` resampled tables [seeds, games], each game's seeds drawn with replacement."""
    seeds, games = table.shape
    parts = []
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        chosen = rng.integers(0, seeds, (RESAMPLES_AT_ONCE, seeds, games))
        parts.append(aggregates(table[chosen, np.arange(games)]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
