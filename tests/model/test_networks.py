"""Networks: heads in the order of the actions, latents in range, one result in any order of memory."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import games
from games.base import ActionLayout, GameSpec
from muzero.config import ConfigError, ModelConfig, ScalarConfig
from muzero.model.learned import LearnedModel
from muzero.model.networks.consistency import Consistency
from muzero.model.networks.latent_norm import NORMS
from muzero.model.networks.resnet import ActionPlanes, PolicyHead

# Networks this small only lose by sharing out their work.
torch.set_num_threads(1)
RESNET = ModelConfig(network="resnet", width=16, hidden=8, latent_norm="rms", value=ScalarConfig(bins=5))
MLP = ModelConfig(width=12, hidden=16)
LAYOUTS = {
    "tic_tac_toe": "cells",
    "go(board_size=3)": "cells with a pass",
    "breakthrough(rows=4,columns=3)": "cells with planes",
    "connect_four(rows=4,columns=5)": "columns",
    "catch": "flat",
}


def positions(name: str, count: int = 6) -> Tensor:
    """Observations [B, *O] a few random moves into the game."""
    batch, rng = games.make(name, count), np.random.default_rng(0)
    for _ in range(3):
        batch.step((batch.legal() * rng.random((count, batch.spec.num_actions))).argmax(1).astype(np.int32))
    return torch.from_numpy(batch.observe())


def shaken(model: nn.Module, seed: int = 0) -> None:
    """Random weights everywhere, so that no head states the same for all."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))


# --- where actions lie --------------------------------------------------------------------------------------


def set_through(layer: nn.Module, weight: Tensor) -> None:
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()


@pytest.mark.parametrize(("planes", "extra"), [(1, 0), (1, 1), (3, 0), (3, 2)])
def test_policies_over_cells_are_in_the_order_of_the_actions(planes: int, extra: int) -> None:
    """With weights that pass numbers through, the logit of an action is the number at its cell and plane."""
    height, width = 2, 5
    actions = height * width * planes + extra
    head = PolicyHead(actions, (height, width), ActionLayout("cells", planes, extra), planes, planes)
    passing = torch.eye(planes)[:, :, None, None]
    set_through(head.inner, passing)
    set_through(head.outer, passing)
    if head.extra is not None:
        with torch.no_grad():
            head.extra.outer.bias.copy_(torch.tensor([100.0, 200.0][:extra]))
    latent = torch.rand(2, planes, height, width)
    logits = head(latent)
    assert logits.shape == (2, actions)
    for row, column, plane in itertools.product(range(height), range(width), range(planes)):
        action = (row * width + column) * planes + plane
        assert torch.equal(logits[:, action], latent[:, plane, row, column])
    assert logits[0, height * width * planes :].tolist() == [100.0, 200.0][:extra]


def test_policies_over_columns_are_in_the_order_of_the_columns() -> None:
    height, width = 4, 5
    head = PolicyHead(width, (height, width), ActionLayout("columns"), 1, 1)
    set_through(head.inner, torch.ones(1, 1, height, 1))
    set_through(head.outer, torch.ones(1, 1, 1, 1))
    latent = torch.rand(3, 1, height, width)
    assert torch.allclose(head(latent), latent[:, 0].sum(1))


@pytest.mark.parametrize(("planes", "extra"), [(1, 0), (1, 1), (3, 2)])
def test_planes_of_actions_mark_their_cell(planes: int, extra: int) -> None:
    height, width = 2, 5
    actions = height * width * planes + extra
    marks = ActionPlanes(actions, (height, width), ActionLayout("cells", planes, extra))(torch.arange(actions))
    assert marks.shape == (actions, planes, height, width)
    for row, column, plane in itertools.product(range(height), range(width), range(planes)):
        assert marks[(row * width + column) * planes + plane].nonzero().tolist() == [[plane, row, column]]
    assert not marks[actions - extra :].any(), "an action beside the board has no cell"


def test_planes_of_columns_mark_the_whole_column() -> None:
    marks = ActionPlanes(5, (4, 5), ActionLayout("columns"))(torch.tensor([3, 0]))
    assert marks.nonzero().tolist() == [[0, 0, r, 3] for r in range(4)] + [[1, 0, r, 0] for r in range(4)]


def test_a_pass_is_told_apart_from_nothing() -> None:
    """Actions beside the board have no plane: a learned bias must tell g which one it was."""
    spec = dataclasses.replace(games.spec("go(board_size=3)"), num_actions=11, layout=ActionLayout("cells", 1, 2))
    model = LearnedModel(spec, RESNET, 1.0)
    latent = model.encode(positions("go(board_size=3)", 1)).expand(2, -1, -1, -1)
    one, other = model.advance(latent, torch.tensor([9, 10]))[0]
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_layouts_run_and_tell_actions_apart(name: str) -> None:
    spec = games.spec(name)
    config = dataclasses.replace(RESNET, discount="learned", reconstruction=True, consistency=True)
    model = LearnedModel(spec, config, 1.0)
    shaken(model)
    obs = positions(name)
    latent = model.encode(obs)
    assert latent.shape == (6, *model.latent_shape)
    logits, value = model.predict(latent)
    assert logits.shape == (6, spec.num_actions)
    assert value.shape == (6, 5)
    assert len(torch.unique(logits[0])) == spec.num_actions
    one = latent[:1].expand(spec.num_actions, -1, -1, -1)
    after, reward, turn = model.advance(one, torch.arange(spec.num_actions))
    assert reward.shape == (spec.num_actions, 3)
    assert turn.shape == (spec.num_actions, 3)
    assert len(torch.unique(after.flatten(1), dim=0)) == spec.num_actions
    assert model.decoder is not None
    assert model.decoder(latent).shape == obs.shape


def test_a_shifted_action_acts_on_shifted_places() -> None:
    """What the action of a column changes in the middle of an empty board is the same one column on."""
    spec = dataclasses.replace(games.spec("connect_four"), num_actions=15, observation_shape=(3, 6, 15))
    model = LearnedModel(spec, RESNET, 1.0)
    shaken(model)
    blank = torch.zeros(1, 16, 6, 15)
    one, other = (model.advance(blank, torch.tensor([column]))[0] for column in (6, 7))
    assert torch.allclose(one[..., 3:10], other[..., 4:11], atol=1e-3)
    assert not torch.allclose(one[..., 3:10], other[..., 3:10], atol=0.1)


# --- latents ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(12,), (4, 3, 5)])
def test_latents_are_normalised(shape: tuple[int, ...]) -> None:
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0)) * 7 + 3
    layer, rms, minmax = (NORMS[name](x).flatten(1) for name in ("layer", "rms", "minmax"))
    assert torch.allclose(layer.mean(1), torch.zeros(5), atol=1e-5)
    assert torch.allclose(layer.var(1, unbiased=False), torch.ones(5), atol=1e-3)
    assert torch.allclose(rms.square().mean(1), torch.ones(5), atol=1e-4)
    assert torch.allclose(rms / rms[:, :1], (x.flatten(1) / x.flatten(1)[:, :1]), rtol=1e-4)
    assert minmax.amin(1).tolist() == [0.0] * 5
    assert minmax.amax(1).tolist() == [1.0] * 5


@pytest.mark.parametrize("norm", list(NORMS))
def test_equal_latents_stay_finite_with_their_gradient(norm: str) -> None:
    x = torch.zeros(2, 3, 2, 2, requires_grad=True)
    found = NORMS[norm](x)
    found.sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(found).all() and torch.isfinite(x.grad).all())


@pytest.mark.parametrize("config", [MLP, RESNET])
def test_a_thousand_steps_keep_the_latent_in_range(config: ModelConfig) -> None:
    model = LearnedModel(games.spec("tic_tac_toe"), config, 1.0)
    shaken(model)
    with torch.inference_mode():
        latent = model.encode(positions("tic_tac_toe", 1))
        for step in range(1000):
            latent = model.advance(latent, torch.tensor([step % 9]))[0]
    assert float(latent.abs().max()) <= latent.numel() ** 0.5 + 1e-3


# --- orders of memory and places ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_channels_last_gives_what_contiguous_memory_gives(name: str, norm: str) -> None:
    spec = games.spec(name)
    config = dataclasses.replace(RESNET, norm=norm, discount="learned")
    last = LearnedModel(spec, config, 1.0).eval()
    shaken(last)
    plain = LearnedModel(spec, config, 1.0).eval()
    plain.load_state_dict(last.state_dict())
    plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    assert last.h.stem[0].weight.is_contiguous(memory_format=torch.channels_last) if norm == "batch" else True
    obs, action = positions(name), torch.arange(6) % spec.num_actions
    with torch.inference_mode():
        one, other = (model.encode(obs) for model in (last, plain))
        other = other.contiguous()
        assert torch.allclose(one, other, atol=1e-4)
        for first, second in zip((*last.advance(one, action), *last.predict(one)),
                                 (*plain.advance(other, action), *plain.predict(other)), strict=True):
            assert torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("config", [MLP, RESNET])
def test_a_model_on_the_meta_device_has_the_shapes_and_takes_no_memory(name: str, config: ModelConfig) -> None:
    config = dataclasses.replace(config, discount="learned", reconstruction=True, consistency=True)
    with torch.device("meta"):
        outline = LearnedModel(games.spec(name), config, 1.0)
    model = LearnedModel(games.spec(name), config, 1.0)
    assert {n: p.shape for n, p in outline.state_dict().items()} == {n: p.shape for n, p in model.state_dict().items()}
    assert all(held.is_meta for held in itertools.chain(outline.parameters(), outline.buffers()))
    assert not any(held.is_meta for held in itertools.chain(model.parameters(), model.buffers()))


def test_tables_of_actions_are_small() -> None:
    """Thousands of actions times as many planes would take hundreds of megabytes."""
    model = LearnedModel(games.spec("lines_of_action"), dataclasses.replace(RESNET, discount="learned"), 1.0)
    assert sum(held.numel() for held in model.buffers()) < 100_000


# --- what heads say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [MLP, RESNET])
def test_an_untrained_model_states_nothing(config: ModelConfig) -> None:
    model = LearnedModel(games.spec("go(board_size=3)"), config, 1.0)
    output = model.root(positions("go(board_size=3)"), torch.ones(6, 10, dtype=torch.bool))
    assert not output.logits.any()
    assert output.value.abs().max() < 1e-6


@pytest.mark.parametrize(("name", "sign"), [("tic_tac_toe", -0.9), ("catch", 0.9)])
def test_fixed_discounts_follow_from_the_players(name: str, sign: float) -> None:
    model = LearnedModel(games.spec(name), MLP, 0.9)
    assert model.discount(torch.zeros(3, 0)).tolist() == pytest.approx([sign] * 3)


@pytest.mark.parametrize(("players", "wanted"), [(2, [0.0, 0.9, -0.9, -0.18]), (1, [0.0, 0.9, 0.9, 0.72])])
def test_learned_discounts_are_signed_chances(players: int, wanted: list[float]) -> None:
    spec = dataclasses.replace(games.spec("tic_tac_toe"), players=players)
    model = LearnedModel(spec, dataclasses.replace(MLP, discount="learned"), 0.9)
    chances = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.2, 0.3, 0.5]])
    assert model.discount(torch.log(chances + 1e-9)).tolist() == pytest.approx(wanted, abs=1e-4)


def test_models_that_cannot_fit_the_game_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"dots_and_boxes: .*model.discount to learned"):
        LearnedModel(games.spec("dots_and_boxes"), MLP, 1.0)
    with pytest.raises(ConfigError, match=r"resnet: expected observations \[C, H, W\], got \(40,\); use mlp"):
        LearnedModel(games.spec("nim"), RESNET, 1.0)
    flat = GameSpec("flat", 1, (7,), "float32", 3, 9, -1, 1, False, False, False)
    assert LearnedModel(flat, MLP, 1.0).encode(torch.zeros(2, 7)).shape == (2, 12)


def test_consistency_is_a_negative_cosine_that_moves_only_the_guess() -> None:
    module = Consistency((4, 3), 8)
    unrolled, encoded = (torch.randn(5, 4, 3, requires_grad=True) for _ in range(2))
    loss = module(unrolled, encoded)
    assert loss.shape == (5,)
    guess = module.predictor(module.projector(unrolled.flatten(1)))
    wanted = module.projector(encoded.flatten(1))
    cosine = (guess * wanted).sum(1) / (guess.norm(dim=1) * wanted.norm(dim=1))
    assert torch.allclose(loss, -cosine, atol=1e-5)
    loss.sum().backward()
    assert unrolled.grad is not None
    assert encoded.grad is None
