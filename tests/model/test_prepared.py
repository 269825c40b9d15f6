"""Models laid out for inference: the same numbers as the network they come from, whatever its shape."""

from __future__ import annotations

import pytest
import torch

import games
from muzero.config import ModelConfig, ScalarConfig
from muzero.model.learned import LearnedModel
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import StepOutput

torch.set_num_threads(1)
SMALL = {"network": "resnet", "width": 6, "hidden": 5}
CASES = {
    "columns": ("connect_four", ModelConfig(**SMALL, discount="learned")),
    "cells": ("tic_tac_toe", ModelConfig(**SMALL)),
    "pass": ("go(board_size=5)", ModelConfig(**SMALL, discount="learned")),
    "flat": ("breakthrough", ModelConfig(network="resnet", width=16, hidden=5)),
    "batch norm": ("connect_four", ModelConfig(**SMALL, norm="batch")),
    "no position": ("tic_tac_toe", ModelConfig(**SMALL, position_bias=False)),
    "no blocks": ("tic_tac_toe", ModelConfig(**SMALL, representation_blocks=0, dynamics_blocks=0)),
    "two blocks": ("tic_tac_toe", ModelConfig(**SMALL, dynamics_blocks=2)),
    "layer": ("tic_tac_toe", ModelConfig(**SMALL, latent_norm="layer")),
    "minmax": ("tic_tac_toe", ModelConfig(**SMALL, latent_norm="minmax")),
    "scalar": ("tic_tac_toe", ModelConfig(**SMALL, value=ScalarConfig(kind="scalar"))),
    "picture": ("games.examples.pixel_catch:PixelCatch", ModelConfig(
        **{**SMALL, "network": "pixels"}, representation_blocks=1, latent_norm="rms")),
    "plain picture": ("games.examples.pixel_catch:PixelCatch", ModelConfig(
        **{**SMALL, "network": "pixels"}, representation_blocks=1, picture_blocks=0, norm="batch", latent_norm="rms")),
    "standardised picture": ("games.examples.pixel_catch:PixelCatch", ModelConfig(
        **{**SMALL, "network": "pixels"}, representation_blocks=1, picture_blocks=0, standardise=True,
        latent_norm="rms")),
    "mlp": ("tic_tac_toe", ModelConfig(width=8, hidden=7, discount="learned")),
}


def scatter(model: LearnedModel, seed: int) -> None:
    """Weights and running averages that leave nothing at zero or one."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]:
        tensor.data = torch.rand(tensor.shape, generator=generator) * 0.5 - (0.25 if tensor.dim() > 1 else -0.1)


def made(name: str, seed: int = 0) -> LearnedModel:
    game, config = CASES[name]
    model = LearnedModel(games.spec(game), config, 0.97).eval().requires_grad_(False)
    scatter(model, seed)
    return model


def unrolled(model: LearnedModel | PreparedModel, game: str, steps: int = 3) -> list[StepOutput]:
    """Answers along random actions from a few first positions."""
    batch = games.make(game, 5)
    legal = torch.from_numpy(batch.legal())
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        root = model.root(torch.from_numpy(batch.observe()), legal)
        nothing = torch.zeros(5)
        found = [StepOutput(root.latent, nothing, nothing, root.logits, root.value)]
        for _ in range(steps):
            action = torch.randint(0, model.num_actions, (5,), generator=generator)
            found.append(model.step(found[-1].latent, action))
    return found


def close(found: list[StepOutput], wanted: list[StepOutput], tolerance: float) -> bool:
    return all(torch.allclose(getattr(one, field).float(), getattr(other, field), atol=tolerance, rtol=tolerance)
               for one, other in zip(found, wanted, strict=True)
               for field in ("latent", "reward", "discount", "logits", "value"))


@pytest.mark.parametrize("name", CASES)
def test_a_prepared_model_says_what_its_network_says(name: str) -> None:
    model = made(name)
    wanted = unrolled(model, CASES[name][0])
    assert close(unrolled(PreparedModel(model), CASES[name][0]), wanted, 2e-4)
    assert any(one.logits.std() > 0.01 for one in wanted), "outputs that could tell a difference"


@pytest.mark.parametrize("name", ["columns", "pass", "mlp", "batch norm"])
def test_bfloat16_differs_by_its_rounding_only(name: str) -> None:
    model = made(name)
    wanted = unrolled(model, CASES[name][0], steps=1)
    found = unrolled(PreparedModel(model, torch.bfloat16), CASES[name][0], steps=1)
    assert found[0].latent.dtype == torch.bfloat16
    assert all(one.logits.dtype == one.value.dtype == torch.float32 for one in found)
    assert close(found, wanted, 0.15)
    assert not close(found, wanted, 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_new_weights_are_taken_over_in_place(name: str) -> None:
    model, game = made(name), CASES[name][0]
    prepared = PreparedModel(model)
    held = [tensor.data_ptr() for tensor, _ in prepared.derived._recipes]
    before = unrolled(prepared, game)
    scatter(model, 7)
    assert close(unrolled(prepared, game), before, 0.0), "old weights until the refresh"
    prepared.refresh()
    assert close(unrolled(prepared, game), unrolled(model, game), 2e-4)
    assert not close(unrolled(prepared, game), before, 1e-3)
    assert held == [tensor.data_ptr() for tensor, _ in prepared.derived._recipes]


def test_boards_stay_channels_last() -> None:
    latent = unrolled(PreparedModel(made("columns")), "connect_four")[-1].latent
    assert latent.is_contiguous(memory_format=torch.channels_last)
