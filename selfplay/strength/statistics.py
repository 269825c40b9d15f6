"""Confidence intervals of match results and means, in closed form: no resampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
NEARLY_NORMAL = 1_000
"""From this many degrees of freedom on, Student's distribution is taken as normal."""


def wilson(successes: float, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), for `successes` in `trials` yes-or-no results.

    Returns (low, high) in [0, 1]; (0, 1) without trials. Raises ValueError for impossible counts.
    """
    if trials < 0 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 <= successes <= trials, got {successes} of {trials}")
    if trials == 0:
        return 0.0, 1.0
    z2 = _quantile(confidence) ** 2
    share = successes / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def score_interval(
    wins: int, draws: int, losses: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of the score (wins + draws / 2) / games by inverting the score test of a mean of {0, 1/2, 1}.

    The variance under a hypothetical mean is that of the maximum-likelihood three-way distribution with that mean, so
    draws narrow the interval, and without draws it is exactly Wilson's. Returns (low, high) in [0, 1].
    """
    if min(wins, draws, losses) < 0:
        raise ValueError(f"expected counts of 0 or more, got {wins}, {draws}, {losses}")
    games = wins + draws + losses
    if games == 0:
        return 0.0, 1.0
    z = _quantile(confidence)
    score = (wins + draws / 2) / games

    def rejected(mean: float) -> bool:
        return abs(score - mean) > z * math.sqrt(_variance(wins, draws, losses, mean) / games)

    return _edge(score, 0.0, rejected), _edge(score, 1.0, rejected)


def _edge(inside: float, outside: float, rejected: Callable[[float], bool]) -> float:
    """The boundary between accepted and rejected means, by bisection to the last significant bit."""
    if not rejected(outside):
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2


def _variance(wins: int, draws: int, losses: int, mean: float) -> float:
    """Variance of one result under the maximum-likelihood distribution of {0, 1/2, 1} with this mean.

    With x half the probability of a draw, the probabilities are (1 - mean - x, 2x, mean - x). Setting the derivative of
    the log-likelihood to zero gives games x^2 - (draws + wins (1 - mean) + losses mean) x
    + draws mean (1 - mean) = 0, whose smaller root keeps all three probabilities at 0 or above.
    """
    games = wins + draws + losses
    linear = draws + wins * (1 - mean) + losses * mean
    constant = draws * mean * (1 - mean)
    root = math.sqrt(max(0.0, linear**2 - 4 * games * constant))
    x = (linear - root) / (2 * games)
    return max(0.0, (mean - x) + x / 2 - mean**2)


def mean_interval(
    mean: float, deviation: float, samples: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Student's t interval of a mean from the sample standard deviation; infinite for fewer than two samples."""
    if samples < 2:
        return -math.inf, math.inf
    spread = _student(confidence, samples - 1) * deviation / math.sqrt(samples)
    return mean - spread, mean + spread


def _student(confidence: float, freedom: int) -> float:
    """Quantile of Student's distribution: how many standard errors to each side hold `confidence`.

    With t = sqrt(freedom) tan(angle) its density is cos(angle)^(freedom - 1), which is integrated here.
    """
    if freedom > NEARLY_NORMAL:
        return _quantile(confidence)
    angle = np.linspace(0.0, math.pi / 2, 20_001)
    density = np.cos(angle) ** (freedom - 1)
    area = np.concatenate(([0.0], np.cumsum(density[1:] + density[:-1])))
    return math.sqrt(freedom) * math.tan(float(np.interp(confidence * area[-1], area, angle)))


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
