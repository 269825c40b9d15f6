"""Doubtful rewards and ends by unroll depth, read as a search reads them: as means, or as the likeliest outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from counting_model import CountingModel, at_random, continued
from tiny_runs import tiny
from torch import Tensor

import games
from muzero.config import ModelConfig, ScalarConfig
from muzero.model import scalar
from muzero.model.build import build_model
from muzero.validation.continuations import Collector, Movers, Wanted
from muzero.validation.depth import imagine
from muzero.validation.report import DepthReport, report
from muzero.validation.trust import Trust, trusted
from selfplay.settings import SelfPlayConfig

SAMPLE = continued(count=120)
PAID, UNPAID, SMALL = [0.3, 0.0, 0.25, 0.0, 0.45], [0.0, 0.0, 0.6, 0.0, 0.4], [0.0, 0.0, 0.3, 0.7, 0.0]
"""Probabilities of rewards of -1, -0.5, 0, 0.5 and 1, whose means are 0.15, 0.4 and 0.35."""
OVER, GOES_ON = [0.4, 0.3, 0.3], [0.3, 0.3, 0.4]
"""Of the end, the same player, and the other one."""


@dataclass
class Doubtful(CountingModel):
    """Right about the likeliest outcome of each move, and in doubt."""

    transition: Literal["expected", "likeliest"] = "expected"
    alarmed: bool = False
    """believes in small rewards where there are none"""

    @property
    def config(self) -> ModelConfig:  # type: ignore[override]
        return ModelConfig(transition=self.transition, reward=ScalarConfig(bins=5))

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        reached, paid, sure = super().advance(latent, action)
        unpaid = torch.tensor(SMALL if self.alarmed else UNPAID)
        output = torch.where(paid > 0, torch.tensor(PAID), unpaid).log()
        mover = torch.where((reached[:, :1] > 0), torch.tensor(OVER), torch.tensor(GOES_ON)).log()
        return reached, output, mover[:, : sure.shape[1]]

    def reward(self, before: Tensor, after: Tensor, output: Tensor) -> Tensor:
        return scalar.decode(output, self.config.reward)


def judged(**options: object) -> DepthReport:
    return report(SAMPLE, imagine(Doubtful(**options), SAMPLE))  # type: ignore[arg-type]


def test_rewards_are_the_means_or_the_likeliest() -> None:
    mean, likeliest = judged(), judged(transition="likeliest")
    assert np.nanmax(mean.recall) == 0
    assert np.nanmin(likeliest.recall) == 1
    share = mean.rewards[1:] / mean.positions[:-1]
    np.testing.assert_allclose(mean.reward_error[1:], 0.85 * share + 0.4 * (1 - share), atol=1e-6)
    assert np.abs(likeliest.reward_error[1:]).max() == 0


def test_an_end_that_is_likeliest_is_seen() -> None:
    mean, likeliest = judged(), judged(transition="likeliest")
    assert np.nanmax(mean.ends_seen) == 0
    assert np.nanmin(likeliest.ends_seen) == 1
    assert np.nanmax(mean.false_ends) == np.nanmax(likeliest.false_ends) == 0


def test_a_likeliest_reward_ends_the_game_without_a_head_for_ends() -> None:
    """What the model expects past the end is added to a mean, not to a game that is over."""
    mean, likeliest = judged(goes_on=True), judged(goes_on=True, transition="likeliest")
    assert np.nanmin(mean.after_end[2:]) == 0.5
    assert np.nanmax(likeliest.after_end) == 0
    for found in (mean, likeliest):
        assert np.isnan(found.ends_seen).all()
    assert np.isnan(mean.false_ends).all()
    assert np.nanmax(likeliest.false_ends) == 0
    assert set(trusted(mean, CountingModel.spec).wrong) == {"rewards", "ends"}
    assert trusted(likeliest, CountingModel.spec) == Trust(6, 6, ())


def test_a_small_reward_that_is_likeliest_ends_games_too_early() -> None:
    """Half of a typical reward isn't counted as one, but the search takes the game for over."""
    mean, likeliest = (judged(goes_on=True, alarmed=True, transition=way) for way in ("expected", "likeliest"))
    for found in (mean, likeliest):
        assert np.nanmax(found.false_rewards) == 0
    assert np.isnan(mean.false_ends).all()
    np.testing.assert_array_equal(likeliest.false_ends[1:], 1)
    assert trusted(likeliest, CountingModel.spec) == Trust(0, 6, ("ends",))


@pytest.mark.parametrize("transition", ["expected", "likeliest"])
@pytest.mark.parametrize("discount", ["fixed", "learned"])
def test_reward_and_discount_are_those_of_a_step_of_the_search(transition: str, discount: str) -> None:
    torch.manual_seed(0)
    model = build_model(tiny(model__transition=transition, model__discount=discount)).eval()
    wanted = Wanted(16, 3, starts=6, wait=20)
    sample = Collector(games.make("tic_tac_toe", 8), Movers(at_random, at_random, at_random), wanted,
                       SelfPlayConfig(), 0).collect(1.0)
    found = imagine(model, sample)
    with torch.inference_mode():
        latent = model.encode(torch.as_tensor(sample.obs[:, 0]))
        for step in range(sample.depth):
            output = model.step(latent, torch.as_tensor(sample.action[:, step]))
            latent = output.latent
            np.testing.assert_array_equal(found.reward[:, step], output.reward)
            np.testing.assert_array_equal(found.discount[:, step], output.discount)
    ends = found.ends[~np.isnan(found.ends)]
    assert (len(ends) == 0) == (discount == "fixed")
    assert np.isin(ends, (0.0, 1.0)).all() == (transition == "likeliest" or discount == "fixed")
