"""Calibration: whether predictions are right on average (reliability curve, expected calibration error).

The error is that of Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray

BINS = 10
"""Of predictions, equally wide between the smallest and the largest that there can be."""


@dataclass(frozen=True)
class Calibration:
    """Predictions and outcomes in bins; empty bins are left out."""

    predicted: FloatArray
    """mean prediction of each bin"""
    happened: FloatArray
    """mean outcome of each bin"""
    count: NDArray[np.int64]
    """predictions in each bin"""
    error: float
    """ECE: mean |predicted - happened| over bins, weighted by count; NaN without predictions"""
    chance: float
    """the error that a perfectly calibrated model would show on so few games, about"""


def calibrated(
    predicted: FloatArray, outcome: FloatArray, low: float, high: float, binary: bool = False
) -> Calibration:
    """The calibration of predictions [n] between low and high against outcomes [n]. binary: outcomes are 0 or 1, and
    predictions their probabilities."""
    edges = np.linspace(low, high, BINS + 1)[1:-1]
    place = np.digitize(predicted, edges)
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(BINS + 1))
    groups = [order[start:stop] for start, stop in pairwise(ends.tolist()) if stop > start]
    count = np.array([len(group) for group in groups], np.int64)
    said, happened = (np.array([values[group].mean() for group in groups], np.float32)
                      for values in (predicted, outcome))
    # The mean of |x| for a normal x is sqrt(2 / pi) of its standard deviation.
    spread = np.sqrt(said * (1 - said)) if binary else np.array([outcome[group].std() for group in groups])
    noise = spread * np.sqrt(2 / np.pi / count)
    return Calibration(said, happened, count, _weighted(np.abs(said - happened), count), _weighted(noise, count))


def _weighted(numbers: NDArray[np.floating], count: NDArray[np.int64]) -> float:
    return float((numbers * count).sum() / count.sum()) if len(count) else float("nan")
