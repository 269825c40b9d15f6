"""Figures of a validation report, by hand: a few moves whose rewards, ends, values and returns are written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from muzero.validation.depth import Imagined
from muzero.validation.report import DepthReport, report
from muzero.validation.sample import Sample


def one_move(size: int, **given: Any) -> Sample:
    """`size` positions, each followed by one move to another one."""
    inside = np.ones((size, 2), np.bool_)
    return Sample(**{
        "obs": np.zeros((size, 2, 1)), "legal": inside[:, :, None], "action": np.zeros((size, 1), np.int64),
        "reward": np.zeros((size, 1), np.float32), "discount": -np.ones((size, 1), np.float32), "in_game": inside,
        "returns": np.full((size, 2), np.nan, np.float32), **given})


def said(size: int, **given: Any) -> Imagined:
    """What a model says of them: nothing of ends, wins and legality, 0 of all else, and that games go on."""
    nothing = np.zeros((size, 2), np.float32)
    return Imagined(**{
        "value": nothing, "real_value": nothing, "win": nothing + np.nan, "kl": nothing, "legal_mass": nothing,
        "cosine": nothing, "legality": nothing[:, :, None][:, :, :0], "reward": nothing[:, :1],
        "ends": nothing[:, :1] + np.nan, "discount": nothing[:, :1] - 1.0, **given})


def columns(*numbers: Any) -> Any:
    """[N, 1] or [N, 2] of rows given as numbers or pairs."""
    found = np.array(numbers, np.float32)
    return found[:, None] if found.ndim == 1 else found


def test_drift_has_a_size_and_a_sign() -> None:
    found = report(one_move(2), said(2, value=columns([0.5, 0.5], [0.1, -0.3]),
                                     real_value=columns([0.5, -0.1], [0.1, -0.1])))
    np.testing.assert_allclose(found.drift, [0.0, 0.4], atol=1e-6)
    np.testing.assert_allclose(found.bias, [0.0, 0.2], atol=1e-6)
    assert found.spread == pytest.approx(np.std([0.5, -0.1, 0.1, -0.1]), abs=1e-6)
    assert found.level == pytest.approx(0.2)


def rewarded(paid: list[float], told: list[float]) -> DepthReport:
    return report(one_move(len(paid), reward=columns(*paid)), said(len(paid), reward=columns(*told)))


def test_a_reward_is_recalled_by_its_sign_and_half_its_size() -> None:
    found = rewarded([1.0, 1.0, -2.0, -2.0, 4.0], [0.5, 0.4, -1.1, 1.1, 1.9])
    np.testing.assert_array_equal(found.rewards, [0, 5])
    assert found.recall[1] == pytest.approx(2 / 5)
    assert found.reward_error[1] == pytest.approx((0.5 + 0.6 + 0.9 + 3.1 + 2.1) / 5)
    assert np.isnan(found.recall[0])


def test_a_reward_is_false_above_half_of_a_typical_one_whatever_its_sign() -> None:
    """Rewards of 1 and -3: typical is 2."""
    found = rewarded([1.0, -3.0, 0.0, 0.0, 0.0, 0.0], [9.0, 9.0, 0.9, 1.1, -1.1, 0.0])
    assert found.false_rewards[1] == pytest.approx(2 / 4)
    assert rewarded([0.0, 0.0], [9.0, 9.0]).false_rewards[1] == 0.0, "without rewards none is typical"


def test_an_end_is_seen_above_even_chances() -> None:
    discount = columns(0.0, 0.0, 0.0, -1.0, -1.0)
    found = report(one_move(5, discount=discount), said(5, ends=columns(0.6, 0.9, 0.4, 0.6, 0.4)))
    np.testing.assert_array_equal(found.ends, [0, 3])
    assert found.ends_seen[1] == pytest.approx(2 / 3)
    assert found.false_ends[1] == pytest.approx(1 / 2)
    unsaid = report(one_move(5, discount=discount), said(5))
    assert np.isnan([unsaid.ends_seen, unsaid.false_ends]).all()


def test_past_the_end_a_value_is_what_it_is_worth_there() -> None:
    over = np.array([[True, False], [True, True]])
    sample = one_move(2, discount=columns(0.0, -1.0), in_game=over)
    found = report(sample, said(2, value=columns([0.7, -0.3], [0.7, 9.0])))
    np.testing.assert_allclose(found.after_end, [np.nan, 0.3], atol=1e-6)


def test_what_a_model_takes_for_over_adds_nothing_past_the_end() -> None:
    """Of two games that are over the model knows one."""
    sample = one_move(2, discount=columns(0.0, 0.0), in_game=np.array([[True, False]] * 2))
    found = report(sample, said(2, value=columns([0.0, 0.7], [0.0, 0.3]), discount=columns(0.0, -1.0)))
    assert found.after_end[1] == pytest.approx(0.3 / 2)


def test_a_game_that_a_reward_ends_too_early_is_a_false_end_in_a_model_that_predicts_none() -> None:
    """Of three games that go on the model ends one."""
    sample = one_move(5, discount=columns(-1.0, -1.0, -1.0, 0.0, 0.0))
    found = report(sample, said(5, discount=columns(0.0, -1.0, -1.0, -1.0, 0.0)))
    assert found.false_ends[1] == pytest.approx(1 / 3)
    assert np.isnan(found.ends_seen).all()


def test_returns_count_where_half_of_the_games_were_seen_to_end() -> None:
    returns = columns([1.0, np.nan], [np.nan, np.nan], [-1.0, 1.0], [0.0, np.nan])
    found = report(one_move(4, returns=returns), said(4, value=columns([0.5, 0], [9, 9], [-0.5, 0.5], [0.4, 0])))
    np.testing.assert_allclose(found.value_error, [(0.5 + 0.5 + 0.4) / 3, np.nan], atol=1e-6)
    assert found.values[0].count.sum() == 3
    assert found.values[1].count.sum() == 0


def test_a_draw_is_no_win() -> None:
    """Half of the games of a probability of one half are won, the others drawn and lost."""
    returns = columns(*[[value, value] for value in (1.0, 1.0, 0.0, -1.0)])
    found = report(one_move(4, returns=returns), said(4, win=columns(*[[0.55, 0.95]] * 4)))
    assert found.wins[0].happened.tolist() == [0.5]
    assert found.wins[0].error == pytest.approx(0.05)
    assert found.wins[1].error == pytest.approx(0.45)


def test_scores_are_neither_won_nor_lost() -> None:
    found = report(one_move(2, returns=columns([3.0, 1.0], [1.0, 0.0])), said(2, win=columns([0.5, 0.5], [0.5, 0.5])))
    assert [len(one.count) for one in found.wins] == [0, 0]
