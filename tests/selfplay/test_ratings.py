"""Ratings against plain maximum likelihood and against answers known beforehand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from selfplay.strength.ratings import (
    ELO,
    PAIR_POINTS,
    PRIOR_DRAWS,
    Difference,
    Pairing,
    elo_of,
    fit,
    more_games,
    rate,
    versus,
)

INF = math.inf


def scores_of(pairings: list[Pairing], players: int) -> np.ndarray:
    scores = np.zeros((players, players))
    for one in pairings:
        scores[one.first, one.second] += one.points.sum()
        scores[one.second, one.first] += 2 * len(one.points) - one.points.sum()
    return scores


def round_robin(players: int, pairs: int, seed: int) -> list[Pairing]:
    rng = np.random.default_rng(seed)
    return [Pairing(i, j, rng.choice(PAIR_POINTS, pairs)) for i, j in itertools.combinations(range(players), 2)]


def by_gradient(scores: np.ndarray, prior: float) -> np.ndarray:
    """The likeliest ratings by climbing the log-likelihood, written with plain loops; player 0 has 0."""
    players = len(scores)
    theta = np.zeros(players)
    met = [sum(scores[i, j] + scores[j, i] > 0 for j in range(players)) for i in range(players)]
    for _ in range(20_000):
        gradient = np.zeros(players)
        for i, j in itertools.permutations(range(players), 2):
            if scores[i, j] + scores[j, i] == 0:
                continue
            drawn = prior * (1 / met[i] + 1 / met[j]) / 2
            games = scores[i, j] + scores[j, i] + drawn
            gradient[i] += scores[i, j] + drawn / 2 - games / (1 + math.exp(theta[j] - theta[i]))
        theta += 0.02 * gradient
        if np.abs(gradient).max() < 1e-10:
            break
    return ELO * (theta - theta[0])


@pytest.mark.parametrize("prior", [0.0, PRIOR_DRAWS])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_two_players_differ_by_400_log10_of_the_odds(share: float, prior: float) -> None:
    games = 40
    found = fit(np.array([[0, games * (1 - share)], [games * share, 0]]), prior)
    score = (games * share + prior / 2) / (games + prior)
    assert found == pytest.approx([0.0, 400 * math.log10(score / (1 - score))], abs=1e-9)


def test_results_as_expected_give_back_the_ratings() -> None:
    truth = np.array([0.0, -250.0, 90.0, 900.0])
    expected = 1 / (1 + 10 ** ((truth[None, :] - truth[:, None]) / 400))
    np.fill_diagonal(expected, 0.0)
    assert fit(30 * expected, prior=0.0) == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fit_equals_plain_maximum_likelihood(seed: int) -> None:
    scores = scores_of(round_robin(5, 6, seed), 5)
    scores[0, 4] = scores[4, 0] = scores[1, 2] = scores[2, 1] = 0.0
    for prior in (0.0, PRIOR_DRAWS):
        assert fit(scores, prior) == pytest.approx(by_gradient(scores, prior), abs=1e-5)


def test_extreme_results_converge_with_the_prior_and_are_refused_without() -> None:
    scores = np.triu(np.full((8, 8), 1e5), 1)
    found = fit(scores)
    assert (np.diff(found) < 0).all()
    assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="no finite ratings"):
        fit(scores, prior=0.0)


def test_many_fits_at_once_equal_single_ones() -> None:
    many = np.stack([scores_of(round_robin(4, 5, seed), 4) for seed in range(6)])
    assert fit(many) == pytest.approx(np.stack([fit(one) for one in many]), abs=1e-9)


def test_ratings_repeat_with_their_seed_and_the_anchor_only_shifts_them() -> None:
    pairings = round_robin(4, 10, 3)
    first, again, other = rate(4, pairings), rate(4, pairings), rate(4, pairings, anchor=2, seed=1)
    assert np.array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples - first.samples[:, [2]], other.samples)
    assert other.elo == pytest.approx(first.elo - first.elo[2])
    assert other.elo[2] == 0
    one, back = first.difference(0, 3), first.difference(3, 0)
    assert (one.value, one.low, one.high) == pytest.approx((-back.value, -back.high, -back.low), abs=5.0)
    assert one.low < one.value < one.high


def test_a_block_of_resamples_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pairings = round_robin(3, 4, 0)
    whole = rate(3, pairings, resamples=10)
    monkeypatch.setattr("selfplay.strength.ratings.BLOCK", 30)
    assert rate(3, pairings, resamples=10).samples == pytest.approx(whole.samples, abs=1e-9)


def test_pairs_are_resampled_not_games() -> None:
    """Pairs split 1 : 1 say that the players are equal; the same score from pairs won or lost whole says far less."""
    split, whole = (rate(2, [Pairing(0, 1, np.array(points))]).difference(0, 1)
                    for points in ([1.0] * 20, [0.0, 2.0] * 10))
    assert split.value == whole.value == 0
    assert whole.high - whole.low > 2 * (split.high - split.low) > 0


def test_nobody_knows_how_far_the_winner_of_all_is_above() -> None:
    won = rate(2, [Pairing(0, 1, np.full(10, 2.0))]).difference(0, 1)
    assert won.value == pytest.approx(elo_of(20.5 / 21))
    assert 0 < won.low < won.value
    assert won.high == INF
    # Two strong and two weak players: no chain leads back over the gap, whatever happens on either side.
    even, lost = np.array([0.0, 1.0, 2.0] * 5), np.zeros(15)
    table = rate(4, [Pairing(0, 1, even), Pairing(2, 3, even), *(Pairing(i, j, lost) for i in (2, 3) for j in (0, 1))])
    assert table.difference(0, 2).high == table.difference(1, 3).high == INF
    assert table.difference(2, 0).low == -INF
    assert table.difference(2, 0).high < 0
    assert math.isfinite(table.difference(0, 1).high)
    assert math.isfinite(table.difference(2, 3).low)


def test_intervals_hold_the_truth() -> None:
    rng, truth, held = np.random.default_rng(0), 150.0, 0
    chance = 1 / (1 + 10 ** (-truth / 400))
    for seed in range(200):
        points = rng.binomial(2, chance, size=10).astype(float)
        found = rate(2, [Pairing(0, 1, points)], seed=seed, resamples=200).difference(0, 1)
        held += found.low <= truth <= found.high
    assert 0.9 <= held / 200 <= 0.99


def test_players_without_connection_are_refused() -> None:
    with pytest.raises(ValueError, match="no games connect"):
        rate(4, [Pairing(0, 1, np.ones(2)), Pairing(2, 3, np.ones(2))])


def test_a_match_as_a_rating() -> None:
    even = versus(5, 10, 5)
    assert (even.value, even.low) == (0.0, pytest.approx(-even.high))
    assert even.open
    won = versus(20, 0, 0)
    assert (won.value, won.high) == (pytest.approx(elo_of(20.5 / 21)), INF)
    assert won.low == pytest.approx(elo_of(20 / (20 + 1.959964**2)), abs=1e-3), "Wilson's interval of 20 of 20"
    assert not won.open
    assert versus(0, 0, 20).low == -INF
    assert [elo_of(share) for share in (0.0, 0.5, 1.0)] == [-INF, 0.0, INF]
    assert elo_of(10 / 11) == pytest.approx(400)


def test_more_games_until_two_are_told_apart() -> None:
    assert more_games(Difference(50.0, -50.0, 150.0), 20) == 60, "half the width takes four times the games"
    assert more_games(Difference(50.0, -0.1, 100.0), 20) == 2
    assert more_games(Difference(0.0, -50.0, 50.0), 20) is None
    assert more_games(Difference(0.01, -50.0, 50.0), 20) is None
    assert more_games(Difference(50.0, -INF, INF), 20) is None
