"""The contract of a kind of network, which every entry of `NETWORKS` keeps: one that is added is tested here."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
import toys_network
from tiny_runs import tiny, whole_run
from torch import nn

import games
from muzero.agent import load as load_agent
from muzero.config import Config, ConfigError, kinds, settings
from muzero.errors import SeamError
from muzero.learning.loss import compute
from muzero.learning.tensors import Tensors
from muzero.model.build import build_model
from muzero.model.contract import check_network
from muzero.model.learned import LearnedModel
from muzero.model.networks.bounds import Row
from muzero.model.networks.kind import Fast
from muzero.model.prepared import PreparedModel
from muzero.replay.batch import Batch
from selfplay.contract import check_plan

torch.set_num_threads(1)
TOYS = {"toy": "toys_network", "tokens": "toys_tokens"}
"""Kinds in one file each, which know no bounds of their numbers."""
KINDS = [*typing.get_args(settings.Network), *TOYS]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "learned turns": {"model__discount": "learned"},
    "value prefix": {"model__prefix": 2, "model__prefix_hidden": 5},
    "consistency": {"model__consistency": True, "learner__consistency_weight": 1.0},
    "reconstruction": {"model__reconstruction": True, "learner__reconstruction_weight": 1.0},
    "Muon and batch norm": {"learner__optimizer": "muon", "model__norm": "batch"},
}
"""What a run may ask of its network. A kind that can't give it refuses it in words."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, module in TOYS.items():
        monkeypatch.setitem(kinds.NETWORKS, name, kinds.NetworkKind(module))
    monkeypatch.setattr(settings, "Network", Literal[tuple(kinds.NETWORKS)])
    return str(request.param)


def config_of(kind: str, **overrides: Any) -> Config:
    game = "games.examples.pixel_catch:PixelCatch" if kinds.NETWORKS[kind].pictures else "tic_tac_toe"
    blocks = {f"model__{name}": 1 for name in kinds.NETWORKS[kind].blocks}
    wide = {"model__width": 16, "model__hidden": 16}
    return tiny(game=game, model__network=kind, train__steps=2, **wide, **blocks, **overrides)


def refusal(kind: str, **overrides: Any) -> str | None:
    """Why a kind can't do what is asked, if it can't."""
    try:
        build_model(config_of(kind, **overrides))
    except ConfigError as error:
        return str(error)
    return None


def shaken(config: Config, seed: int = 0) -> LearnedModel:
    """A model in which nothing is zero, so that nothing is the same for all."""
    torch.manual_seed(seed)
    model = build_model(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    return model


def positions(config: Config, count: int) -> torch.Tensor:
    spec, rng = games.spec(config.game), np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 1 + spec.observation_high, (count, *spec.observation_shape), np.uint8))


def line(model: Any, obs: torch.Tensor) -> list[torch.Tensor]:
    """All that a model says of positions [B, *O] along two moves."""
    with torch.inference_mode():
        root = model.root(obs, torch.ones(len(obs), model.num_actions, dtype=torch.bool))
        said, latent = [root.logits, root.value], root.latent
        for action in (0, 1):
            step = model.step(latent, torch.full((len(obs),), action))
            latent = step.latent
            said += [step.reward, step.discount, step.logits, step.value]
    return [*said, latent]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_network_trains_and_plays(kind: str, option: str, tmp_path: Path) -> None:
    if (refused := refusal(kind, **OPTIONS[option])) is not None:
        assert option != "plain"
        assert "set model." in refused, "a refusal names the mend"
        return
    config = config_of(kind, **OPTIONS[option])
    agent = load_agent(str(whole_run(config, tmp_path)), own_game=config.game)
    batch = games.make(config.game, 3)
    check_plan(agent.search(agent.observe(batch), batch.legal()).result, batch.legal())


@pytest.mark.parametrize("option", ["plain", "learned turns", "value prefix"])
def test_the_search_is_told_what_the_network_says(kind: str, option: str) -> None:
    config = config_of(kind, **OPTIONS[option])
    model, obs = shaken(config), positions(config, 4)
    prepared = PreparedModel(model)
    torch.testing.assert_close(line(prepared, obs), line(model, obs), rtol=2e-4, atol=2e-4)
    before = line(prepared, obs)
    model.load_state_dict(shaken(config, seed=1).state_dict())
    prepared.refresh()
    torch.testing.assert_close(line(prepared, obs), line(model, obs), rtol=2e-4, atol=2e-4)
    assert not torch.allclose(before[0], line(prepared, obs)[0], atol=1e-3), "new weights say something else"


def test_latents_have_the_shape_that_is_stated_and_no_position_hangs_on_another(kind: str) -> None:
    config = config_of(kind)
    model, obs = shaken(config), positions(config, 4)
    together = line(model, obs)
    assert together[-1].shape == (4, *model.latent_shape)
    assert all(said.isfinite().all() for said in together)
    torch.testing.assert_close(line(model, obs[1:2]), [said[1:2] for said in together], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("option", ["plain", "learned turns", "value prefix"])
def test_it_keeps_the_contract(kind: str, option: str) -> None:
    config = config_of(kind, **OPTIONS[option])
    model = shaken(config).train()
    check_network(model, positions(config, 4))
    assert model.training


def test_every_weight_gets_a_gradient(kind: str) -> None:
    config = config_of(kind, model__discount="learned")
    model, obs = shaken(config).train(), positions(config, 3)
    ones, actions = np.ones((3, 2), np.bool_), model.num_actions
    batch = Batch(
        obs=obs.numpy(), action=np.ones((3, 1), np.int64), reward=np.ones((3, 1), np.float32),
        next_mover=np.ones((3, 1), np.int64), value=np.ones((3, 2), np.float32),
        policy=np.eye(actions, dtype=np.float32)[np.zeros((3, 2), np.int64)], legal=np.ones((3, 2, actions), np.bool_),
        policy_mask=ones, in_game=ones, value_mask=ones, later_obs=None, weight=np.ones(3, np.float32),
        place=np.arange(3)[:, None] + np.arange(2))
    compute(model, Tensors.of(batch), config.learner).total.backward()  # type: ignore[no-untyped-call]
    idle = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


# --- networks that break it -----------------------------------------------------------------------------------------


class Spoilt(nn.Module):
    """A network whose answer, or what it is given, is changed."""

    def __init__(self, inner: nn.Module, spoil: Callable[..., Any]) -> None:
        super().__init__()
        self.inner, self.spoil = inner, spoil

    def forward(self, *given: torch.Tensor) -> Any:
        return self.spoil(self.inner(*given), *given)


def building(**changes: Any) -> Any:
    """`build` of the toy, some of its parts changed: into something else, or by a function into what that makes of its
    answers."""
    def build(*args: Any) -> Any:
        parts = toys_network.build(*args)
        spoilt = {name: Spoilt(getattr(parts, name), change) if callable(change) else change
                  for name, change in changes.items()}
        return dataclasses.replace(parts, **spoilt)

    return build


def narrow(*args: Any) -> Any:
    """`build` of the toy, its f for another width."""
    wide, (spec, config, outputs) = toys_network.build(*args), args
    return dataclasses.replace(wide, f=toys_network.build(spec, dataclasses.replace(config, width=4), outputs).f)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"build": lambda *_: None}, "build: expected Parts, got NoneType"),
    ({"build": building(h=None)}, "build: h: expected a torch.nn.Module, got NoneType"),
    ({"build": building(g=None)}, "build: g: expected a torch.nn.Module, got NoneType"),
    ({"build": building(latent_shape=None)}, "build: latent_shape: expected a tuple of sizes, got None"),
    ({"build": building(latent_shape=())}, r"build: latent_shape: expected a tuple of sizes, got \(\)"),
    ({"build": building(latent_shape=(7,))}, r"h: latent: expected torch.float32 \[2, 7\], got torch.float32 \[2, 8\]"),
    ({"build": building(h=lambda out, _: out.double())}, "h: latent: expected torch.float32 .*, got torch.float64"),
    ({"build": building(h=lambda out, _: None)}, "h: expected latent, got NoneType"),
    ({"build": building(h=lambda out, obs: (obs.zero_(), out)[1])}, "h: expected what it is given to be only read"),
    ({"build": building(g=lambda out, latent, _: (latent.mul_(1.0), out)[1])}, "g: expected what it is given to be"),
    ({"build": building(g=lambda out, *_: out[0])}, "g: expected next latent and transition outputs, got 1 of them"),
    ({"build": building(g=lambda out, *_: (out[0][:, 1:], out[1]))}, r"g: next latent: expected .*, got .* \[2, 7\]"),
    ({"build": building(g=lambda out, *_: (out[0], out[1][:, :0]))}, r"g: transition outputs: .*, got .* \[2, 0\]"),
    ({"build": building(f=lambda out, _: (out[0][:, :1], out[1]))}, r"f: policy logits: .* \[2, 9\], got .* \[2, 1\]"),
    ({"build": building(f=lambda out, _: (out[0], out[1][:, :0]))}, r"f: values: expected .*, got .* \[2, 0\]"),
    ({"build": building(f=lambda out, _: out[0])}, "f: expected policy logits and values, got 1 of them"),
    ({"build": narrow}, r"f: expected it to take \[2, 8\], got RuntimeError: mat1 and mat2"),
    ({"build": None}, "expected a function build in its module wrong_network"),
    ({"bounds": None}, "expected a function bounds in its module wrong_network; .*NetworkModule says what it gives"),
    ({"bounds": lambda _: None}, "bounds: expected a dictionary of rows for h, f and g, got None"),
    ({"bounds": lambda _: {"k": []}}, "bounds: expected a dictionary of rows for h, f and g, got"),
    ({"bounds": lambda _: {"h": []}}, "bounds: expected a list of rows for each, got"),
    ({"bounds": lambda _: {"h": [Row.of(1, torch.device("cpu"))]}}, "bounds: expected h to have the attribute"),
    ({"fast": lambda *_: 3}, "fast: expected Fast or None, got 3"),
]
"""What another module than the toy's has, and what is said of it."""


def enter_wrong(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind `wrong`: the toy's module with `changes`."""
    module = types.ModuleType("wrong_network")
    vars(module).update({name: getattr(toys_network, name) for name in ("build", "bounds", "fast")} | changes)
    monkeypatch.setitem(sys.modules, "wrong_network", module)
    monkeypatch.setitem(kinds.NETWORKS, "wrong", kinds.NetworkKind("wrong_network"))
    monkeypatch.setattr(settings, "Network", Literal[tuple(kinds.NETWORKS)])


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_broken_network_is_told(changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_wrong(changes, monkeypatch)
    with pytest.raises(SeamError, match=f"^model.network wrong: {message}"):
        PreparedModel(build_model(tiny(model__network="wrong")))


def of_first(out: Any, *_: Any) -> Any:
    """The answers of f, or of g, for the first position alone."""
    return tuple(part[:1].expand_as(part) for part in out)


@pytest.mark.parametrize(("changes", "message"), [
    ({"build": building(f=of_first)}, "policy logits: expected the same without the first of the positions, got"),
    ({"build": building(g=of_first)}, "latent of g after move 1: expected the same without the first of the positions"),
    ({"build": building(h=lambda out, _: out - out.mean(0))}, "latent of h: expected the same without the first"),
    ({"build": building(f=lambda out, _: (out[0] * np.nan, out[1]))}, "policy logits: expected finite numbers, got"),
    ({"fast": lambda model, *_: Fast(model.h, model.g, lambda latent: model.f(latent * 2))},
     "policy logits: expected the same from its fast networks, got a difference of"),
    ({"fast": lambda model, *_: Fast(model.h, model.g, model.f, lambda latent: model.f(latent * 2)[0])},
     "policy alone after move 1: expected the same from its fast networks, got a difference of"),
])
def test_a_network_that_breaks_the_contract_is_found(
    changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_wrong(changes, monkeypatch)
    config = tiny(model__network="wrong")
    with pytest.raises(SeamError, match=f"^model.network wrong: {message}"):
        check_network(shaken(config), positions(config, 4))


def test_a_network_that_is_not_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = toys_network.build
    monkeypatch.setattr(toys_network, "build", lambda spec, config, outputs: sound(
        spec, config, dataclasses.replace(outputs, dynamics=True)))
    monkeypatch.setitem(kinds.NETWORKS, "toy", kinds.NetworkKind("toys_network"))
    monkeypatch.setattr(settings, "Network", Literal[tuple(kinds.NETWORKS)])
    with pytest.raises(SeamError, match="build: g: expected None where nothing is imagined, got Step"):
        build_model(tiny(model__network="toy", model__dynamics="rules"))


def test_a_new_network_is_asked_without_a_trace(kind: str) -> None:
    """No random number, no statistic, and all parts still as they are when they train."""
    config = config_of(kind, **({} if refusal(kind, model__norm="batch") else {"model__norm": "batch"}))
    torch.manual_seed(0)
    model = build_model(config)
    after = torch.get_rng_state()
    assert all(module.training for module in model.modules())
    assert all(not value.any() for name, value in model.state_dict().items() if "running_mean" in name)
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muzero.model.networks.parts_check.check_shapes", lambda *_: None)
        other = build_model(config)
    assert torch.equal(torch.get_rng_state(), after)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
