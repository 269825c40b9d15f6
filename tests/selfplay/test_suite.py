"""Many scores as one number: equal to rliable's, refused where it means nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfplay.strength.suite import UnevenError, aggregate, interquartile_mean

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "rliable.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_numbers_and_intervals_are_rliable_s(case: dict[str, Any]) -> None:
    """Values exactly; intervals as far as two sets of resamples agree."""
    found = aggregate(case["scores"])
    assert found.keys() == case["value"].keys()
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(case["value"][name], abs=1e-12)
        width = case["high"][name] - case["low"][name]
        assert estimate.low == pytest.approx(case["low"][name], abs=0.06 * width)
        assert estimate.high == pytest.approx(case["high"][name], abs=0.06 * width)


def test_equal_seeds_leave_no_doubt() -> None:
    found = aggregate({"a": [0.2, 0.2], "b": [1.4, 1.4]})
    assert found["mean"].value == found["mean"].low == found["mean"].high == pytest.approx(0.8)
    assert found["optimality_gap"].value == pytest.approx(0.4), "being better than a human makes up for nothing"


def test_seeds_are_drawn_within_their_game() -> None:
    """Between the games lies a gap that no resample crosses."""
    found = aggregate({"a": [0.0, 0.1, 0.05], "b": [10.0, 10.1, 10.05]})
    assert found["mean"].high - found["mean"].low <= 0.1 + 1e-9


def test_the_interquartile_mean_leaves_out_both_ends() -> None:
    assert interquartile_mean(np.array([[100.0, 1.0, 2.0, -50.0]]))[0] == 1.5
    assert interquartile_mean(np.array([[5.0, 1.0, 3.0]]))[0] == 3.0


@pytest.mark.parametrize("scores", [{}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}])
def test_games_with_different_numbers_of_seeds_are_refused(scores: dict[str, list[float]]) -> None:
    with pytest.raises(UnevenError, match="the same number of seeds for each game"):
        aggregate(scores)
