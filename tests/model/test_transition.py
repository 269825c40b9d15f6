"""Likeliest transition: imagined games end where a reward says so, and nothing changes where it is off."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny_runs import tiny

from muzero.config import ConfigError, ScalarConfig
from muzero.model.build import build_model
from muzero.model.learned import LearnedModel
from muzero.model.prepared import PreparedModel
from muzero.model.transition import likeliest_mover, likeliest_reward

WON, OPEN, LOST = [0.0, 1.0, 2.0], [0.0, 2.0, 1.9], [5.0, 4.9, 4.8]
"""Outputs for a reward of -1, 0 or 1 whose likeliest are 1, 0 and -1."""


def model(**overrides: object) -> LearnedModel:
    torch.manual_seed(0)
    return build_model(tiny(**{"model__reward__bins": 3, **overrides})).eval()


def test_a_reward_ends_the_game() -> None:
    made = model(model__transition="likeliest")
    latent, none = torch.zeros(3, 8), torch.zeros(3, 0)
    reward, discount = made.outcome(latent, latent, torch.tensor([WON, OPEN, LOST]), none)
    assert reward.tolist() == [1.0, 0.0, -1.0]
    assert discount.tolist() == [0.0, -1.0, 0.0]


def test_the_likeliest_mover_is_certain() -> None:
    """Of end, same player, other player."""
    made = model(model__transition="likeliest", model__discount="learned")
    latent = torch.zeros(3, 8)
    mover = torch.tensor([[0.2, 0.1, 0.0], [0.0, 0.1, 0.0], [0.0, 0.1, 0.2]])
    _, discount = made.outcome(latent, latent, torch.tensor([OPEN, OPEN, OPEN]), mover)
    assert discount.tolist() == [0.0, 1.0, -1.0]
    assert likeliest_mover(torch.zeros(2, 0)).shape == (2, 0)


def test_bins_stand_for_rewards_in_units_of_the_game() -> None:
    output = torch.eye(5)
    support = ScalarConfig(low=-1.0, high=1.0, bins=5, scale=10.0)
    assert likeliest_reward(output, support).tolist() == [-10.0, -5.0, 0.0, 5.0, 10.0]


@pytest.mark.parametrize("transition", ["expected", "likeliest"])
def test_the_fast_form_reads_the_same(transition: str) -> None:
    made = model(model__transition=transition)
    fast = PreparedModel(made)
    obs, legal = torch.zeros(4, *made.spec.observation_shape, dtype=torch.uint8), torch.ones(4, 9, dtype=torch.bool)
    action = torch.arange(4)
    with torch.inference_mode():
        one, other = (m.step(m.root(obs, legal).latent, action) for m in (made, fast))
    assert one.reward.tolist() == pytest.approx(other.reward.tolist(), abs=1e-5)
    assert one.discount.tolist() == pytest.approx(other.discount.tolist())


def test_means_are_read_unless_asked_otherwise() -> None:
    made = model()
    latent, none = torch.zeros(3, 8), torch.zeros(3, 0)
    output = torch.tensor([WON, OPEN, LOST])
    reward, discount = made.outcome(latent, latent, output, none)
    assert torch.equal(reward, made.reward(latent, latent, output))
    assert torch.equal(discount, made.discount(none))


@pytest.mark.parametrize(("game", "changed", "message"), [
    ("pig", {}, "expected a game without chance .* which has chance"),
    ("gym/CartPole-v1", {}, "set model.transition to expected"),
    ("tic_tac_toe", {"model__reward__bins": 4}, "expected a bin for the reward 0"),
    ("tic_tac_toe", {"model__prefix": 2}, "expected a categorical reward of each move"),
])
def test_where_a_mean_is_needed_the_likeliest_is_refused(game: str, changed: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model(dataclasses.replace(tiny(**{"model__reward__bins": 3, "model__discount": "learned",
                                                "model__transition": "likeliest", **changed}), game=game))
