"""Errors by unroll depth, for models that are right, or wrong in one thing that is known."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from counting_model import GAME, CountingModel, at_random, continued
from torch import Tensor
from toys_counting import Counting

import games
from games.base import GameSpec, IntArray, Step
from muzero.validation import depth
from muzero.validation.continuations import Collector, Movers, Wanted
from muzero.validation.depth import imagine
from muzero.validation.report import DepthReport, mean_by_depth, report
from muzero.validation.sample import Sample
from selfplay.settings import SelfPlayConfig

SAMPLE = continued()


def judged(model: CountingModel, sample: Sample = SAMPLE) -> DepthReport:
    return report(sample, imagine(model, sample))


def test_a_model_that_is_right_has_no_error_at_any_depth() -> None:
    found = judged(CountingModel())
    assert found.positions[0] == 60
    assert 0 < found.positions[-1] < 60
    for zero in (found.drift, found.bias, found.reward_error[1:], found.after_end[2:]):
        assert np.abs(zero).max() == 0
    # From the second position on, moves are perfect: their return is the value.
    assert np.abs(found.value_error[1:]).max() == 0
    np.testing.assert_allclose(found.kl, 0, atol=1e-6)
    np.testing.assert_allclose(found.cosine, 1, atol=1e-6)
    assert found.legal_mass.min() > 0.99
    assert np.nanmin(found.recall) == np.nanmin(found.ends_seen) == 1
    assert np.nanmax(found.false_rewards) == np.nanmax(found.false_ends) == 0


def test_rewards_told_a_move_late_are_never_recalled() -> None:
    found = judged(CountingModel(late=True))
    assert np.nanmax(found.recall) == 0
    assert np.nanmax(found.drift) == 0


def test_a_wrong_sign_at_odd_depths_is_twice_the_value_there() -> None:
    found = judged(CountingModel(flipped=True))
    np.testing.assert_array_equal(found.drift, [0, 2, 0, 2, 0, 2, 0])
    np.testing.assert_array_equal(found.value_error[1:], [2, 0, 2, 0, 2, 0])


def test_an_imagined_position_that_is_another_one_is_seen_in_all_figures() -> None:
    found = judged(CountingModel(forgetful=True))
    assert found.drift[0] == 0
    assert found.drift[1] > 0.5
    assert found.kl[1] > 1
    assert found.cosine[1] == 0
    assert np.nanmax(found.false_ends) > 0


def test_a_game_that_isnt_over_in_the_model_is_worth_something_after_its_end() -> None:
    found = judged(CountingModel(goes_on=True))
    assert np.nanmin(found.after_end[2:]) == np.nanmax(found.after_end[2:]) == 0.5
    assert np.isnan(found.ends_seen).all()
    assert np.nanmax(found.drift) == 0


def test_illegal_actions_that_seem_legal_are_seen() -> None:
    sample = continued(after=at_random)
    few = (sample.legal.sum(2) == 1)[:, 1:]
    assert few.any()
    right, careless = (imagine(model, sample).legal_mass[:, 1:][few] for model in (
        CountingModel(), CountingModel(careless=True)))
    assert careless.max() < 0.9995 < right.min()


def test_what_is_illegal_does_not_count_in_the_divergence() -> None:
    found = judged(CountingModel(careless=True), continued(after=at_random))
    np.testing.assert_allclose(found.kl, 0, atol=1e-5)


def test_the_divergence_is_weighed_by_the_real_policy() -> None:
    """A move that only the real policy makes costs much, one that only the imagined policy makes costs little."""
    model, first = CountingModel(forgetful=True), np.flatnonzero(SAMPLE.in_game[:, 1])
    before, after = (torch.from_numpy(SAMPLE.obs[first, step]) for step in (0, 1))
    reached = model.advance(model.encode(before), torch.from_numpy(SAMPLE.action[first, 0]))[0]
    real, imagined = (
        torch.where(torch.from_numpy(SAMPLE.legal[first, 1]), model.predict(latent)[0].double(), -1e9).softmax(1)
        for latent in (model.encode(after), reached))
    expected = torch.where(real > 0, real * (real / imagined).log(), 0.0).sum(1)
    np.testing.assert_allclose(imagine(model, SAMPLE).kl[first, 1], expected, rtol=1e-3, atol=1e-5)


def test_a_model_is_asked_in_parts_that_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = imagine(CountingModel(forgetful=True), SAMPLE)
    monkeypatch.setattr(depth, "ROWS", 7)
    for name, one in vars(imagine(CountingModel(forgetful=True), SAMPLE)).items():
        np.testing.assert_array_equal(one, getattr(whole, name))


def test_a_win_is_expected_where_the_value_says_so() -> None:
    found = imagine(CountingModel(), SAMPLE)
    np.testing.assert_allclose(found.win[SAMPLE.in_game], (found.value[SAMPLE.in_game] > 0) * 1.0, atol=1e-6)


class Doubting(CountingModel):
    """Expects a return of -1, 0 or 1 with chances of 0.1, 0.3 and 0.6, where a win is worth 2."""

    spec = dataclasses.replace(CountingModel.spec, max_return=2.0)

    def predict(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        return super().predict(latent)[0], torch.tensor([0.1, 0.3, 0.6]).log().expand(len(latent), -1)


def test_half_of_a_win_is_half_a_win_and_a_draw_or_a_loss_is_none() -> None:
    np.testing.assert_allclose(imagine(Doubting(), SAMPLE).win, 0.6 / 2, atol=1e-6)


def test_past_the_end_nothing_counts() -> None:
    found = imagine(CountingModel(), SAMPLE)
    garbage = {name: np.where(SAMPLE.in_game, getattr(found, name), 1e9)
               for name in ("real_value", "win", "kl", "legal_mass", "cosine")}
    assert not SAMPLE.in_game.all()
    expected = report(SAMPLE, found)
    spoiled = report(SAMPLE, dataclasses.replace(found, **garbage))
    np.testing.assert_equal(dataclasses.asdict(spoiled), dataclasses.asdict(expected))


def test_values_are_compared_with_exact_ones_where_they_are_known() -> None:
    known = np.full(SAMPLE.returns.shape, np.nan, np.float32)
    known[:, 2] = 1.0
    found = judged(CountingModel(), dataclasses.replace(SAMPLE, truth=known))
    assert np.isnan(found.truth_error[[0, 1, 3, 4, 5, 6]]).all()
    value = imagine(CountingModel(), SAMPLE).value
    assert found.truth_error[2] == np.abs(1 - value[SAMPLE.in_game[:, 2], 2]).mean() > 0
    assert np.isnan(judged(CountingModel()).truth_error).all()


def test_returns_are_of_the_player_to_move_and_zero_past_the_end() -> None:
    # Another one chose the first move.
    assert np.isnan(SAMPLE.returns[:, 0]).all()
    assert set(np.unique(SAMPLE.returns[:, 1:])) == {-1.0, 0.0, 1.0}
    assert not SAMPLE.returns[~SAMPLE.in_game].any()
    made, lasts = SAMPLE.made[:, 1:], (SAMPLE.made & (SAMPLE.discount == 0))[:, 1:]
    assert (SAMPLE.returns[:, 1:-1][lasts] == 1).all()
    before = made & ~lasts
    np.testing.assert_array_equal(SAMPLE.returns[:, 2:][before], -SAMPLE.returns[:, 1:-1][before])


def test_games_whose_end_nobody_saw_have_no_return() -> None:
    cut = continued(depth=2, wait=0)
    unknown = np.isnan(cut.returns)[:, 1:]
    assert unknown.any()
    assert not unknown.all()
    assert (unknown.all(1) == unknown.any(1)).all()
    assert cut.in_game[unknown.all(1)].all()
    # Of the few that ended, nothing is said: they are the short ones.
    assert unknown.mean() > 0.5
    assert np.isnan(judged(CountingModel(), cut).value_error).all()


def test_equal_seeds_give_equal_samples() -> None:
    for name, one in vars(continued(count=20, depth=3)).items():
        np.testing.assert_array_equal(one, getattr(continued(count=20, depth=3), name))
    assert (continued(count=20, depth=3, seed=1).action != continued(count=20, depth=3).action).any()


def test_a_sample_is_what_happens_if_its_moves_are_played_again() -> None:
    everything = Wanted(count=8, depth=30, starts=1)
    sample = Collector(games.make("tic_tac_toe", 8), Movers(at_random, at_random, at_random), everything,
                       SelfPlayConfig(), 3).collect(1.0)
    batch = games.make("tic_tac_toe", 8)
    for step in range(30):
        playing = sample.in_game[:, step]
        np.testing.assert_array_equal(batch.observe()[playing], sample.obs[playing, step])
        np.testing.assert_array_equal(batch.legal(), sample.legal[:, step])
        if playing.any():
            made = batch.step(sample.action[:, step].astype(np.int32), playing)
            np.testing.assert_array_equal(made.reward, sample.reward[:, step])
            np.testing.assert_array_equal(made.discount[playing], sample.discount[playing, step])


class Lives(Counting):
    """One player; every third move costs a life and pays 5; ten moves."""

    spec = GameSpec("lives", 1, (1,), "float32", 2, 10, 0.0, 50.0, False, False, True)

    def reward(self, action: int) -> float:
        return 5.0 if self.made % 3 == 0 else 0.0


def test_rewards_are_those_the_learner_saw() -> None:
    game = f"{__file__}:Lives"
    wanted = Wanted(8, 9, starts=1, wait=20)
    for clipped, paid in ((True, 1.0), (False, 5.0)):
        collector = Collector(games.make(game, 8), Movers(at_random, at_random, at_random), wanted,
                              SelfPlayConfig(clip_rewards=clipped), 0)
        assert collector.collect(1.0).reward.max() == paid


class Losing:
    """Batches of `Lives` in which a life is lost where it is paid."""

    def __init__(self, size: int) -> None:
        self.batch = games.make(f"{__file__}:Lives", size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.batch, name)

    def step(self, actions: IntArray) -> Step:
        made = self.batch.step(actions)
        return dataclasses.replace(made, life_lost=(made.reward > 0) & (made.discount != 0.0))


@pytest.mark.parametrize("ends", [False, True])
def test_a_lost_life_ends_a_game_if_the_learner_saw_it_so(ends: bool) -> None:
    wanted = Wanted(40, 9, starts=10, wait=20)
    sample = Collector(Losing(4), Movers(at_random, at_random, at_random), wanted,  # type: ignore[arg-type]
                       SelfPlayConfig(life_ends=ends), 0).collect(1.0)
    moves, start = sample.made.sum(1), sample.obs[:, 0, 0]
    assert start.max() > 3, "the game itself goes on"
    np.testing.assert_array_equal(start + moves, np.minimum((start // 3 + 1) * 3 if ends else start + 9, 10))
    paid = sample.returns[:, 0]
    assert (paid[start < 9] == 5).all() if ends else (paid == 5 * (3 - start // 3)).all()
    last = sample.discount[np.arange(len(moves)), moves - 1]
    np.testing.assert_array_equal(last == 0, ends | (start + moves == 10))


def test_a_return_is_discounted_by_each_move_and_has_its_movers_sign() -> None:
    """Taken in turn, the last counter pays 1: worth gamma^n to its taker n moves before, -gamma^n to the other."""
    wanted = Wanted(16, 20, starts=1, wait=100)
    sample = Collector(games.make(GAME, 8), Movers(at_random, at_random, at_random), wanted, SelfPlayConfig(),
                       0).collect(gamma=0.9)
    for returns, inside in zip(sample.returns, sample.in_game, strict=True):
        left = inside.sum() - 1 - np.arange(inside.sum())
        np.testing.assert_allclose(returns[inside], 0.9**left * (-1.0) ** left, rtol=1e-5)


def test_the_truth_is_that_of_each_games_own_position() -> None:
    """Here the number of counters left."""
    def left(batch: games.GameBatch, row: int) -> float:
        return float(batch.observe()[row].argmax())

    sample = Collector(games.make(GAME, 8), Movers(at_random, at_random, at_random), Wanted(24, 3, starts=4),
                       SelfPlayConfig(), 0, left).collect(1.0)
    assert sample.truth is not None
    np.testing.assert_array_equal(sample.truth[sample.in_game], sample.obs[sample.in_game].argmax(1))
    assert np.isnan(sample.truth[~sample.in_game]).all()


def test_a_longer_game_goes_on_behind_a_continuation() -> None:
    wanted = Wanted(16, 2, starts=2)
    sample = Collector(games.make(f"{__file__}:Lives", 4), Movers(at_random, at_random, at_random), wanted,
                       SelfPlayConfig(), 0).collect(1.0)
    assert len(np.unique(sample.obs[:, 0])) > 4
    np.testing.assert_array_equal(np.diff(sample.obs[:, :, 0], axis=1)[sample.made[:, 1:].any(1)][:, 0], 1)


def test_means_are_unknown_where_nothing_counts() -> None:
    means = mean_by_depth(np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([[True, False], [True, False]]))
    assert means[0] == 2.0
    assert np.isnan(means[1])


@pytest.mark.parametrize("rows", [1, 7])
def test_the_number_of_positions_is_what_was_asked_for(rows: int) -> None:
    assert len(continued(count=rows, depth=1)) == rows
