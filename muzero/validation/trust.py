"""Trust depth of a learned model: how many moves ahead nothing that a search needs is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameSpec, MaskArray
from muzero.validation.report import DepthReport

LEAST = 20
"""Positions at a depth, and rewards and ends up to it: fewer say nothing."""
MOST_DRIFT = 0.35
"""Value drift, as a share of the spread of values."""
LEAST_SPREAD = 0.1
"""The least spread of values that a drift is measured by, as a share of the range of returns, or, for one player, of
the mean size of values: where all values are alike, as between players who know a game by heart, a small drift isn't
much."""
MOST_KL = 0.5
"""Of the imagined policy from the real position's, in nats."""
LEAST_LEGAL = 0.95
"""Of the imagined policy on legal actions."""
LEAST_SEEN = 0.8
"""Of rewards, and of ends, up to a depth."""
MOST_FALSE = 0.05
"""Of moves that are imagined to be rewarded, or to end the game, and are not."""
FIGURES = {
    "value": ("drift",), "policy": ("kl",), "legality": ("legal_mass",), "rewards": ("recall", "false_rewards"),
    "ends": ("ends_seen", "false_ends", "after_end")}
"""What a model can be wrong about, and the figures of a DepthReport that tell it."""


@dataclass(frozen=True)
class Trust:
    """Up to which depth a model is good, and what goes wrong first beyond it."""

    depth: int
    """the largest depth up to which all is well; 0: not even one move can be imagined"""
    measured: int
    """the largest depth with enough positions"""
    wrong: tuple[str, ...]
    """the figures out of bounds at the next depth; empty if there are none"""


def trusted(report: DepthReport, spec: GameSpec) -> Trust:
    """Judge the figures of a model. Where there is nothing to judge, nothing is wrong."""
    measured, found = _measured(report), beyond(report, spec)
    for depth in range(1, measured + 1):
        wrong = tuple(name for name, figures in FIGURES.items() if any(found[figure][depth] for figure in figures))
        if wrong:
            return Trust(depth - 1, measured, wrong)
    return Trust(measured, measured, ())


def unjudged(reports: Iterable[DepthReport], depth: int) -> list[str]:
    """Which of rewards and ends are too few in every report, up to a depth, to say anything."""
    found = list(reports)
    return [name for name in ("rewards", "ends")
            if all(getattr(report, name)[: depth + 1].sum() < LEAST for report in found)]


def _measured(report: DepthReport) -> int:
    """The largest depth with enough positions."""
    enough = report.positions >= LEAST
    return int(np.flatnonzero(enough)[-1]) if enough.any() else 0


def beyond(report: DepthReport, spec: GameSpec) -> dict[str, MaskArray]:
    """By figure of the report, the depths [T+1] at which it is judged and out of bounds."""
    depths = np.arange(len(report.positions))
    judged = (depths > 0) & (depths <= _measured(report))
    there = report.positions > 0
    found = {
        # What isn't a number isn't within bounds.
        "drift": there & ~(report.drift <= drift_bound(report, spec)),
        "kl": there & ~(report.kl <= MOST_KL),
        "legal_mass": there & ~(report.legal_mass >= LEAST_LEGAL),
        "recall": _unseen(report.recall, report.rewards),
        "false_rewards": _above(report.false_rewards, MOST_FALSE),
        "ends_seen": _unseen(report.ends_seen, report.ends),
        "false_ends": _above(report.false_ends, MOST_FALSE),
        "after_end": _goes_on(report, spec)}
    return {figure: judged & where for figure, where in found.items()}


def _goes_on(report: DepthReport, spec: GameSpec) -> MaskArray:
    """Whether games go on in the model past their ends: where it predicts no ends, their values have to say so."""
    if not np.isnan(report.ends_seen).all():
        return np.zeros(len(report.ends), np.bool_)
    mean, total = so_far(report.after_end, report.ends)
    return np.asarray((total >= LEAST) & (mean > drift_bound(report, spec)))


def drift_bound(report: DepthReport, spec: GameSpec) -> float:
    """The largest value drift with which a model is trusted, in units of the return."""
    return MOST_DRIFT * scale(report, spec)


def scale(report: DepthReport, spec: GameSpec) -> float:
    """What a drift is measured by: the spread of values, in units of the return."""
    # What one player can gain is often unbounded, and discounted values are far from it.
    size = spec.max_return - spec.min_return if spec.players == 2 else report.level
    return max(report.spread, LEAST_SPREAD * size)


def so_far(figures: FloatArray, events: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Means [T+1] over all events up to each depth, and how many there are: events are rare, so those of one depth say
    little. NaN before the first."""
    known = np.where(np.isnan(figures), 0, events)
    total = known.cumsum()
    means: FloatArray = np.full(len(total), np.nan, np.float32)
    np.divide((np.nan_to_num(figures) * known).cumsum(), total, out=means, where=total > 0, casting="same_kind")
    return means, total


def _unseen(share: FloatArray, events: NDArray[np.int64]) -> MaskArray:
    mean, total = so_far(share, events)
    return np.asarray((total >= LEAST) & (mean < LEAST_SEEN))


def _above(share: FloatArray, most: float) -> MaskArray:
    return np.asarray(np.nan_to_num(share) > most)
