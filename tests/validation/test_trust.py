"""Trust depth and calibration: what counts as wrong, and from which depth on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from counting_model import CountingModel, continued

from games.base import FloatArray
from muzero.validation.calibration import calibrated
from muzero.validation.depth import imagine
from muzero.validation.report import DepthReport, report
from muzero.validation.trust import LEAST, LEAST_SPREAD, MOST_DRIFT, Trust, scale, so_far, trusted

SAMPLE = continued(count=120)


def judged(**wrong: bool) -> DepthReport:
    return report(SAMPLE, imagine(CountingModel(**wrong), SAMPLE))


def trust(**wrong: bool) -> Trust:
    return trusted(judged(**wrong), CountingModel.spec)


def test_a_model_that_is_right_is_good_as_far_as_there_are_games() -> None:
    found = trust()
    assert found.wrong == ()
    assert found.depth == found.measured == 6
    few = continued(count=30)
    figures = report(few, imagine(CountingModel(), few))
    assert figures.positions[5] >= LEAST > figures.positions[6] > 0
    assert trusted(figures, CountingModel.spec) == Trust(5, 5, ())


@pytest.mark.parametrize(("wrong", "depth", "named"), [
    ("late", 3, "rewards"), ("flipped", 0, "value"), ("forgetful", 0, "policy"), ("goes_on", 3, "ends"),
])
def test_what_goes_wrong_first_is_named_with_the_last_good_depth(wrong: str, depth: int, named: str) -> None:
    found = trust(**{wrong: True})
    assert found.depth == depth
    assert named in found.wrong


def test_rare_events_are_judged_over_all_depths_before() -> None:
    share, events = np.array([np.nan, 1.0, np.nan, 0.0, 0.5], np.float32), np.array([0, 3, 0, 1, 4])
    means, total = so_far(share, events)
    np.testing.assert_array_equal(total, [0, 3, 3, 4, 8])
    np.testing.assert_allclose(means, [np.nan, 1.0, 1.0, 0.75, 0.625])


def at_most(share: float) -> FloatArray:
    return np.full(7, share, np.float32)


@pytest.mark.parametrize(("figures", "named"), [
    ({"drift": at_most(0.36)}, "value"), ({"kl": at_most(0.51)}, "policy"), ({"legal_mass": at_most(0.94)}, "legality"),
    ({"recall": at_most(0.79)}, "rewards"), ({"false_rewards": at_most(0.06)}, "rewards"),
    ({"ends_seen": at_most(0.79)}, "ends"), ({"false_ends": at_most(0.06)}, "ends"),
    ({"ends_seen": at_most(np.nan), "after_end": at_most(0.36)}, "ends"),
])
def test_each_figure_has_its_bound(figures: dict[str, FloatArray], named: str) -> None:
    """Of values from -1 to 1, whose spread is 1, and events at every depth."""
    right = dataclasses.replace(judged(), spread=1.0, rewards=np.full(7, 20), ends=np.full(7, 20))
    within = {"drift": 0.34, "kl": 0.49, "legal_mass": 0.96, "recall": 0.81, "false_rewards": 0.04, "ends_seen": 0.81,
              "false_ends": 0.04, "after_end": 9.0}
    right = dataclasses.replace(right, **{name: at_most(bound) for name, bound in within.items()})
    assert trusted(right, CountingModel.spec).wrong == ()
    assert trusted(dataclasses.replace(right, **figures), CountingModel.spec) == Trust(0, 6, (named,))


def test_values_that_are_all_alike_raise_no_alarm() -> None:
    """In games that both sides know by heart everything is a draw, and any drift is large against the spread."""
    figures = dataclasses.replace(judged(), spread=1e-3, drift=np.full(7, 0.05, np.float32))
    assert scale(figures, CountingModel.spec) == pytest.approx(LEAST_SPREAD * 2)
    assert trusted(figures, CountingModel.spec).wrong == ()
    worse = dataclasses.replace(figures, drift=np.full(7, MOST_DRIFT * LEAST_SPREAD * 2 + 0.001, np.float32))
    assert trusted(worse, CountingModel.spec) == Trust(0, 6, ("value",))


def test_values_of_one_player_are_measured_by_their_own_size() -> None:
    """The range of returns of a long game is no measure of discounted values."""
    alone = dataclasses.replace(CountingModel.spec, players=1, max_return=1e6)
    figures = dataclasses.replace(judged(), spread=0.5, level=50.0)
    assert scale(figures, alone) == pytest.approx(LEAST_SPREAD * 50)
    assert scale(dataclasses.replace(figures, level=2.0), alone) == 0.5


def test_figures_of_few_positions_say_nothing() -> None:
    few = continued(count=10)
    assert trusted(report(few, imagine(CountingModel(flipped=True), few)), CountingModel.spec) == Trust(0, 0, ())


def test_what_is_no_number_is_never_good() -> None:
    broken = dataclasses.replace(judged(), drift=np.full(7, np.nan, np.float32))
    assert trusted(broken, CountingModel.spec) == Trust(0, 6, ("value",))


def test_predictions_that_are_right_on_average_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(20_000).astype(np.float32)
    happened = (rng.random(20_000) < said).astype(np.float32)
    found = calibrated(said, happened, 0.0, 1.0, binary=True)
    assert found.count.sum() == 20_000
    assert found.error < 0.015
    assert found.chance == pytest.approx(found.error, abs=0.005)
    np.testing.assert_allclose(found.predicted, np.arange(0.05, 1.0, 0.1), atol=0.01)


def test_confidence_that_is_too_large_is_an_error_of_calibration() -> None:
    said = np.array([-0.9] * 4 + [0.9] * 4, np.float32)
    happened = np.array([-1, -1, -1, 1, 1, 1, 1, -1], np.float32)
    found = calibrated(said, happened, -1.0, 1.0)
    np.testing.assert_array_equal(found.count, [4, 4])
    np.testing.assert_array_equal(found.happened, [-0.5, 0.5])
    assert found.error == pytest.approx(0.4)


def test_bins_weigh_as_much_as_they_hold_and_the_largest_prediction_is_in_the_last() -> None:
    """Three of four are predicted at 1 and happen, one at 0.05 does not: off by 0.05 in a quarter of all."""
    found = calibrated(np.array([0.05, 1, 1, 1], np.float32), np.array([0, 1, 1, 1], np.float32), 0.0, 1.0)
    np.testing.assert_array_equal(found.count, [1, 3])
    assert found.error == pytest.approx(0.05 / 4)


def test_the_chance_of_few_games_is_the_mean_error_of_calibrated_ones() -> None:
    """Outcomes of a standard deviation of 2 around what is predicted, 64 in each bin."""
    rng = np.random.default_rng(0)
    said = np.repeat(np.arange(10) + 0.5, 64).astype(np.float32)
    found = [calibrated(said, (said + rng.normal(0, 2, len(said))).astype(np.float32), 0.0, 10.0) for _ in range(100)]
    expected = 2 / np.sqrt(64) * np.sqrt(2 / np.pi)
    assert np.mean([one.error for one in found]) == pytest.approx(expected, rel=0.05)
    assert np.mean([one.chance for one in found]) == pytest.approx(expected, rel=0.05)


def test_nothing_predicted_has_no_error_of_calibration() -> None:
    nothing = np.zeros(0, np.float32)
    found = calibrated(nothing, nothing, 0.0, 1.0)
    assert len(found.count) == 0
    assert np.isnan(found.error)


def test_values_of_a_right_model_are_calibrated_at_every_depth() -> None:
    found = judged()
    assert np.isnan(found.values[0].error)
    for depth in range(1, 7):
        assert found.values[depth].error == 0
        assert found.wins[depth].error == pytest.approx(0, abs=1e-6)
    assert judged(flipped=True).values[1].error == 2
