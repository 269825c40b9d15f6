"""Standardised pictures: what is usual vanishes, what is small is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import games
import muzero
from games.base import PIXEL_HIGH, GameSpec
from muzero import presets
from muzero.config import Config, ConfigError, ModelConfig, replace
from muzero.model.learned import LearnedModel
from muzero.model.networks.input_norm import CUT, LEAST, Standardise
from muzero.storage import checkpoint, runs
from muzero.training import loop

torch.set_num_threads(1)


def test_each_place_has_its_own_mean_and_deviation() -> None:
    rng = np.random.default_rng(0)
    usual, width = rng.uniform(60, 180, (3, 5, 7)), rng.uniform(10, 20, (3, 5, 7))
    frames = np.clip(rng.normal(usual, width, (700, 2, 3, 5, 7)), 0, 255).astype(np.uint8)
    layer = Standardise((3, 5, 7), PIXEL_HIGH)
    layer.measure(torch.from_numpy(frames.reshape(700, 6, 5, 7)))
    seen = layer(torch.from_numpy(frames.reshape(700, 6, 5, 7))).reshape(-1, 3, 5, 7)
    np.testing.assert_allclose(seen.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(seen.std(0, unbiased=False), 1.0, atol=1e-2)
    np.testing.assert_allclose(layer.mean, frames.reshape(-1, 3, 5, 7).mean(0), rtol=1e-5)


def test_what_never_moved_is_zero_and_what_moves_there_is_cut() -> None:
    layer = Standardise((1, 2, 2), PIXEL_HIGH)
    layer.measure(torch.full((9, 4, 2, 2), 87, dtype=torch.uint8))
    assert (layer(torch.full((1, 4, 2, 2), 87, dtype=torch.uint8)) == 0).all()
    ball = torch.full((1, 4, 2, 2), 87, dtype=torch.uint8)
    ball[0, 3, 0, 1], ball[0, 0, 1, 1], ball[0, 1, 0, 0] = 236, 0, 88
    found = layer(ball)
    assert found[0, 3, 0, 1] == CUT
    assert found[0, 0, 1, 1] == -CUT
    assert found[0, 1, 0, 0].item() == pytest.approx(1 / (LEAST * PIXEL_HIGH))


def test_measuring_again_forgets() -> None:
    layer, rng = Standardise((1, 4, 4), PIXEL_HIGH), np.random.default_rng(1)
    first, second = (torch.from_numpy(rng.integers(0, 256, (50, 2, 4, 4), dtype=np.uint8)) for _ in range(2))
    layer.measure(first)
    layer.measure(second)
    fresh = Standardise((1, 4, 4), PIXEL_HIGH)
    fresh.measure(second)
    assert torch.equal(layer.mean, fresh.mean)
    assert torch.equal(layer.scale, fresh.scale)


def test_a_dot_is_learned_that_is_lost_without() -> None:
    """One pixel of 1,600 on a striped picture tells what the reward is: within 250 steps, or not at all."""
    spec = GameSpec(
        name="dot", players=1, observation_shape=(1, 40, 40), observation_dtype="uint8", num_actions=2, max_length=9,
        min_return=-1, max_return=1, alternates=False, stochastic=True, rewards_on_the_way=True,
        observation_high=PIXEL_HIGH)
    errors = {}
    for standardise in (False, True):
        torch.manual_seed(0)
        model = LearnedModel(spec, ModelConfig(
            network="pixels", width=8, hidden=16, representation_blocks=1, picture_blocks=0, latent_norm="rms",
            standardise=standardise), 0.99)
        optimizer, rng = torch.optim.AdamW(model.parameters(), 3e-3), np.random.default_rng(0)
        errors[standardise] = 1.0
        for step in range(250):
            pictures = np.full((64, 1, 40, 40), 87, np.uint8)
            pictures[:, :, ::8] = 236
            left = rng.random(64) < 0.5
            line = 1 + 8 * rng.integers(0, 5, 64) + rng.integers(0, 6, 64)
            pictures[np.arange(64), 0, line, np.where(left, 0, 20) + rng.integers(0, 20, 64)] = 236
            obs = torch.from_numpy(pictures)
            if step == 0 and model.standard is not None:
                model.standard.measure(obs)
            _, reward, _ = model.advance(model.encode(obs), torch.zeros(64, dtype=torch.int64))
            loss = F.cross_entropy(reward, torch.from_numpy(np.where(left, 0, 2)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            errors[standardise] = 0.9 * errors[standardise] + 0.1 * loss.item()
    assert errors[True] < 0.1
    assert errors[False] > 0.6, "a network that sees it by itself has no need of this"


def tiny(steps: int) -> Config:
    return replace(presets.load("atari/breakout(size=20)", "small"), {
        "model.width": 4, "model.hidden": 4, "selfplay.games": 3, "selfplay.part_moves": 15, "search.simulations": 2,
        "selfplay.warmup_positions": 60, "replay.min_positions": 60, "replay.capacity": 150,
        "learner.batch": ((0.0, 8.0),), "learner.replay_ratio": 1.0, "train.minutes": 0.0, "train.steps": steps,
        "train.horizon": 30})


def test_a_run_measures_once_before_it_learns_and_its_agents_know(tmp_path: Path) -> None:
    assert loop.run(tiny(9), tmp_path / "straight") == 0
    newest = runs.newest(tmp_path / "straight")
    assert newest is not None
    weights = checkpoint.load(newest).tensors
    for name in ("standard.mean", "standard.scale"):
        assert torch.equal(weights["weights"][name], weights["trained"][name])
    mean = weights["weights"]["standard.mean"]
    # Of the random games it began with: a wall, no ball in most places.
    held = torch.from_numpy(weights["replay"]["obs"].numpy()[:60]).float().mean(0)
    assert (mean - held).abs().mean() < 0.1 * held.mean()
    agent = muzero.load_agent(str(tmp_path / "straight"))
    assert agent.model.standard is not None
    assert torch.equal(agent.model.standard.mean, mean)
    batch = games.make(agent.spec.name, 2)
    batch.step(np.array([1, 1], np.int32))
    prior, _ = agent.raw(agent.observe(batch), batch.legal())
    with torch.inference_mode():
        plain = agent.model.root(torch.from_numpy(agent.observe(batch)), torch.from_numpy(batch.legal()))
    np.testing.assert_allclose(prior, torch.softmax(plain.logits, 1), atol=1e-4)


@pytest.mark.parametrize("stopped", [1, 9])
def test_a_resumed_run_measures_nothing_anew(tmp_path: Path, stopped: int) -> None:
    assert loop.run(tiny(20), tmp_path / "straight") == 0
    assert loop.run(tiny(stopped), tmp_path / "twice") == 0
    assert loop.run(tiny(20), tmp_path / "twice") == 0
    ends = [runs.newest(tmp_path / name) for name in ("straight", "twice")]
    assert ends[0] is not None
    assert ends[1] is not None
    assert checkpoint.same_content(ends[0], ends[1]) == []


def test_other_networks_refuse_it() -> None:
    with pytest.raises(ConfigError, match="standardise"):
        replace(presets.load("tic_tac_toe"), {"model.standardise": True})
