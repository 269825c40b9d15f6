"""Intervals against scipy and against their own definition."""

from __future__ import annotations

import math

import pytest
from scipy import optimize, stats

from selfplay.strength.statistics import mean_interval, score_interval, wilson

COUNTS = [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (50, 100), (999, 1000)]
RESULTS = [(5, 3, 2), (0, 10, 0), (10, 5, 0), (1, 98, 1), (40, 20, 40), (0, 3, 7), (1, 0, 0), (300, 150, 50)]


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_equals_scipy(successes: int, trials: int, confidence: float) -> None:
    wanted = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert wilson(successes, trials, confidence) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
def test_score_interval_without_draws_is_wilson(successes: int, trials: int) -> None:
    got = score_interval(successes, 0, trials - successes)
    assert got == pytest.approx(wilson(successes, trials), abs=1e-9)


def likeliest_variance(wins: int, draws: int, losses: int, mean: float) -> float:
    """Variance under the likeliest three-way distribution with this mean, found by numerical search."""

    def unlikelihood(x: float) -> float:
        chances = (mean - x, 2 * x, 1 - mean - x)
        counts = (wins, draws, losses)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, chances, strict=True) if n)

    limit = min(mean, 1 - mean)
    exactly = {"xatol": 1e-12}
    found = optimize.minimize_scalar(unlikelihood, bounds=(0, limit), method="bounded", options=exactly)
    x = found.x
    return float(mean - x + x / 2 - mean**2)


@pytest.mark.parametrize(("wins", "draws", "losses"), RESULTS)
def test_score_interval_ends_where_the_score_test_just_accepts(wins: int, draws: int, losses: int) -> None:
    z = stats.norm.ppf(0.975)
    games = wins + draws + losses
    score = (wins + draws / 2) / games
    for end in score_interval(wins, draws, losses):
        if 1e-6 < end < 1 - 1e-6:
            deviation = math.sqrt(likeliest_variance(wins, draws, losses, end) / games)
            assert abs(score - end) / deviation == pytest.approx(z, rel=1e-3)


def test_draws_narrow_the_interval() -> None:
    low, high = score_interval(25, 50, 25)
    wide_low, wide_high = score_interval(50, 0, 50)
    assert wide_low < low < 0.5 < high < wide_high


def test_score_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chances, games = (0.3, 0.5, 0.2), 60
    covered = total = 0.0
    for wins in range(games + 1):
        for draws in range(games + 1 - wins):
            chance = float(stats.multinomial.pmf([wins, draws, games - wins - draws], games, chances))
            low, high = score_interval(wins, draws, games - wins - draws)
            covered += chance * (low <= 0.3 + 0.25 <= high)
            total += chance
    assert total == pytest.approx(1)
    assert 0.935 < covered < 0.965


def test_nothing_played_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
    assert score_interval(0, 0, 0) == (0, 1)
    assert mean_interval(3.0, 0.0, 1) == (-math.inf, math.inf)


@pytest.mark.parametrize("samples", [2, 3, 10, 50, 500, 5_000])
def test_mean_interval_equals_scipy(samples: int) -> None:
    wanted = stats.t.interval(0.95, samples - 1, loc=2.0, scale=3.0 / math.sqrt(samples))
    assert mean_interval(2.0, 3.0, samples) == pytest.approx(wanted, rel=2e-3 if samples > 1_000 else 1e-5)


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(*counts)
    with pytest.raises(ValueError, match="counts"):
        score_interval(-1, 0, 0)
