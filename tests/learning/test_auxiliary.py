"""The contract that every auxiliary loss keeps: an entry of `AUXILIARY_LOSSES`, and the toy one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from test_learner import batch
from torch import Tensor
from toys_auxiliary import Fullness, Half

import games
from muzero.config import ConfigError, EnsembleConfig, LearnerConfig, ModelConfig
from muzero.errors import SeamError
from muzero.learning.learner import Learner
from muzero.learning.loss import Losses, compute, unroll
from muzero.learning.tensors import Tensors
from muzero.model import auxiliary
from muzero.model.auxiliary import AUXILIARY_LOSSES
from muzero.model.imagined import Imagined
from muzero.model.learned import LearnedModel
from muzero.replay.batch import Batch

torch.set_num_threads(1)
K, SIZE = 2, 12
ON: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "decoder": ({"reconstruction": True}, {"reconstruction_weight": 2.0}),
    "consistency": ({"consistency": True}, {"consistency_weight": 2.0, "consistency_steps": 1}),
    "legality": ({"legality": True}, {"legality_weight": 2.0}),
    "ensemble": ({"ensemble": EnsembleConfig(members=3, prior_scale=0.5)}, {"own_targets": 0.5}),
    "toy": ({}, {}),
}
"""Settings of model and learner that turn each one on, by its attribute."""
APART = {"ensemble"}
"""Those that give the latents no gradient."""
MODELS = {
    "mlp": ModelConfig(width=16, hidden=16),
    "resnet": ModelConfig(network="resnet", width=8, hidden=8, norm="batch", discount="learned"),
    "prefix": ModelConfig(network="resnet", width=8, hidden=8, prefix=2, prefix_hidden=8),
}


@pytest.fixture(params=ON)
def attribute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "toy":
        monkeypatch.setitem(AUXILIARY_LOSSES, "toy", Fullness())
    return str(request.param)


def configs(attribute: str, model: str) -> tuple[ModelConfig, LearnerConfig]:
    parts, weights = ON[attribute]
    return dataclasses.replace(MODELS[model], **parts), LearnerConfig(unroll=K, **weights)


def made(config: ModelConfig) -> LearnedModel:
    torch.manual_seed(0)
    return LearnedModel(games.spec("tic_tac_toe"), config, 1.0).train()


def held(model: LearnedModel) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def with_ends(given: Batch) -> Batch:
    """A third of the rows ends with its first action, a third with its second."""
    in_game = np.ones((SIZE, K + 1), np.bool_)
    in_game[:4, 1:] = in_game[4:8, 2:] = False
    return dataclasses.replace(given, in_game=in_game)


def losses(attribute: str, model: LearnedModel, config: LearnerConfig, given: Batch) -> Losses:
    needed = AUXILIARY_LOSSES[attribute].later_obs(config, K)
    assert given.later_obs is not None
    return compute(model, Tensors.of(dataclasses.replace(given, later_obs=given.later_obs[:, :needed])), config)


def test_every_entry_is_tested() -> None:
    assert ON.keys() - {"toy"} == AUXILIARY_LOSSES.keys()


@pytest.mark.parametrize("kind", MODELS)
def test_its_network_is_in_the_model_where_it_is_asked_for_alone(attribute: str, kind: str) -> None:
    config, _ = configs(attribute, kind)
    model = made(config)
    assert any(name.startswith(f"{attribute}.") for name in model.state_dict())
    if attribute != "toy":
        assert not any(name.startswith(f"{attribute}.") for name in made(MODELS[kind]).state_dict())


@pytest.mark.parametrize("kind", MODELS)
def test_its_part_is_its_term_where_something_is_learned(attribute: str, kind: str) -> None:
    """Past the end of a game nothing is, unless the loss says so; the root weighs 1, other steps 1/K, as in other
    losses."""
    model, config = configs(attribute, kind)
    network, given, aid = made(model), with_ends(batch(0)), AUXILIARY_LOSSES[attribute]
    found = losses(attribute, network, config, given).terms[aid.name]
    data = Tensors.of(given)
    imagined = Imagined(unroll(network, data, config.state_gradient).latents, data, network)
    term = aid.term(getattr(network, attribute), imagined, config)
    assert 1 <= len(term) <= K + 1
    assert term.shape[1] == SIZE
    steps = slice(0, K + 1) if len(term) == K + 1 else slice(1, 1 + len(term))
    weight = torch.tensor([[1.0]] + [[1 / K]] * K)[steps]
    counted = term.detach() if aid.absorbing else term.detach() * data.in_game.T[steps]
    wanted = (counted * weight).sum(0).mean()
    assert float(found) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_what_was_seen_is_only_read(attribute: str, kind: str) -> None:
    """Other losses read the same."""
    model, config = configs(attribute, kind)
    network, data = made(model), Tensors.of(batch(0))
    assert data.later_obs is not None
    held = (data.obs, data.later_obs, data.in_game)
    before = [(array.clone(), array._version) for array in held]
    compute(network, data, config)
    for array, (values, version) in zip(held, before, strict=True):
        assert torch.equal(array, values)
        assert array._version == version


@pytest.mark.parametrize("kind", MODELS)
def test_where_nothing_is_known_nothing_is_learned(attribute: str, kind: str) -> None:
    model, config = configs(attribute, kind)
    network, given = made(model), batch(0)
    nothing = np.zeros_like(given.in_game)
    found = losses(attribute, network, config, dataclasses.replace(given, in_game=nothing, value_mask=nothing))
    assert float(found.terms[AUXILIARY_LOSSES[attribute].name]) == 0.0
    found.total.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None or not p.grad.any() for p in getattr(network, attribute).parameters())


@pytest.mark.parametrize("kind", MODELS)
def test_its_gradient_reaches_its_network_and_the_dynamics(attribute: str, kind: str) -> None:
    model, config = configs(attribute, kind)
    config = dataclasses.replace(config, policy_weight=0.0, value_weight=0.0, reward_weight=0.0, discount_weight=0.0)
    network = made(model)
    losses(attribute, network, config, batch(0)).total.backward()  # type: ignore[no-untyped-call]

    def moved(part: Any) -> bool:
        return any(p.grad is not None and bool(p.grad.any()) for p in part.parameters())

    assert moved(getattr(network, attribute))
    assert moved(network.g) != (attribute in APART)


@pytest.mark.parametrize("attribute", ["decoder", "consistency", "toy"], indirect=True)
def test_a_batch_with_too_few_observations_is_refused(attribute: str) -> None:
    model, config = configs(attribute, "mlp")
    needed = AUXILIARY_LOSSES[attribute].later_obs(config, K)
    assert 0 <= needed == auxiliary.later_obs(config, K) <= K
    if needed == 0:
        return
    given = batch(0)
    assert given.later_obs is not None
    fewer = given.later_obs[:, : needed - 1] if needed > 1 else None
    name = AUXILIARY_LOSSES[attribute].name
    message = rf"loss {name}: expected {needed} later observations of each position, got {needed - 1}"
    with pytest.raises(ValueError, match=message):
        compute(made(model), Tensors.of(dataclasses.replace(given, later_obs=fewer)), config)


@pytest.mark.parametrize("attribute", AUXILIARY_LOSSES)
@pytest.mark.parametrize("kind", MODELS)
def test_turned_off_it_is_as_if_it_was_not_there(attribute: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no part, nothing to draw, and the same bytes as of a model that never heard of it."""

    def trained() -> tuple[dict[str, bytes], list[Tensor]]:
        learner = Learner(made(MODELS[kind]), config)
        reports = [learner.step(batch(step), 0.5) for step in range(3)]
        return held(learner.model), [report.losses.total for report in reports]

    config = LearnerConfig(unroll=K, learning_rate=1e-2)
    name = AUXILIARY_LOSSES[attribute].name
    assert AUXILIARY_LOSSES[attribute].later_obs(config, K) == 0
    assert name not in compute(made(MODELS[kind]), Tensors.of(batch(0)), config).terms
    off = trained()
    monkeypatch.delitem(AUXILIARY_LOSSES, attribute)
    assert trained() == off


@pytest.mark.parametrize("kind", MODELS)
def test_it_is_learned(attribute: str, kind: str) -> None:
    model, config = configs(attribute, kind)
    learner = Learner(made(model), dataclasses.replace(config, learning_rate=1e-2, warmup=0.0))
    found = [float(learner.step(batch(0), 0.5).losses.terms[AUXILIARY_LOSSES[attribute].name]) for _ in range(40)]
    assert found[-1] < found[0] - 0.2 * abs(found[0])


@pytest.mark.parametrize("absorbing", [False, True])
def test_a_term_of_all_positions_begins_at_the_root(absorbing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root has its weight of 1 besides 1/K for the others; what lies past the end counts if the loss says so."""
    monkeypatch.setitem(AUXILIARY_LOSSES, "toy", type("Toy", (Half,), {"absorbing": absorbing})())
    network, config, data = made(MODELS["prefix"]), LearnerConfig(unroll=K), Tensors.of(with_ends(batch(0)))
    imagined = Imagined(unroll(network, data, config.state_gradient).latents, data, network)
    term = Half().term(network.toy, imagined, config).detach()
    assert term.shape == (K + 1, SIZE)
    counted = term if absorbing else term * data.in_game.T
    wanted = (counted * torch.tensor([[1.0], [1 / K], [1 / K]])).sum(0).mean()
    assert float(compute(network, data, config).terms["half"]) == pytest.approx(float(wanted), rel=1e-5)


def test_a_latent_that_can_not_be_decoded_is_told() -> None:
    """A picture's small board has other places than the picture."""
    loss, spec = AUXILIARY_LOSSES["decoder"], games.spec("tic_tac_toe")
    assert loss.make(spec, (4, 2, 2), ModelConfig()) is None
    with pytest.raises(ConfigError, match=r"model\.network mlp can't decode observations .*\[3, 3\].* set model"):
        loss.make(spec, (4, 2, 2), ModelConfig(reconstruction=True))


# --- losses that break it -------------------------------------------------------------------------------------------


def spoilt(function: Any) -> Any:
    """`term` with what it gives changed."""
    return lambda self, *args: function(Fullness.term(self, *args))


@pytest.mark.parametrize(("changes", "message"), [
    ({"name": "policy"}, r"name: expected one of its own, got 'policy' \(taken are consistency, ensemble, grad"),
    ({"name": "turn"}, "name: expected one of its own, got 'turn'"),
    ({"name": "total"}, "name: expected one of its own, got 'total'"),
    ({"name": "reconstruction"}, "name: expected one of its own, got 'reconstruction'"),
    ({"name": None}, "name: expected one of its own, got None"),
    ({"weight": lambda *_: None}, "weight: expected a finite number of at least 0, got None"),
    ({"weight": lambda *_: -1.0}, "weight: expected a finite number of at least 0, got -1.0"),
    ({"weight": lambda *_: float("nan")}, "weight: expected a finite number of at least 0, got nan"),
    ({"later_obs": lambda *_: -1}, "later_obs: expected a whole number from 0 to 2, .*, got -1"),
    ({"later_obs": lambda *_: 99}, "later_obs: expected a whole number from 0 to 2, .*, got 99"),
    ({"later_obs": lambda *_: None}, "later_obs: expected a whole number from 0 to 2, .*, got None"),
    ({"make": lambda *_: 3}, "make: expected a torch.nn.Module or None, got 3"),
    ({"term": lambda *_: None}, rf"term: expected a tensor \[K', {SIZE}\] with K' from 1 to 3, got NoneType"),
    ({"term": lambda *_: 1.0}, "term: expected a tensor .*, got float"),
    ({"term": spoilt(lambda term: term.detach().numpy())}, "term: expected a tensor .*, got ndarray"),
    ({"term": spoilt(lambda term: term[0])}, rf"term: expected a tensor .*, got \[{SIZE}\]"),
    ({"term": spoilt(lambda term: term.mean())}, r"term: expected a tensor .*, got \[\]"),
    ({"term": spoilt(lambda term: term.mean().view(1, 1))}, r"term: expected a tensor .*, got \[1, 1\]"),
    ({"term": spoilt(lambda term: term.T)}, rf"term: expected a tensor .*, got \[{SIZE}, 1\]"),
    ({"term": spoilt(lambda term: term.repeat(4, 1))}, rf"term: expected a tensor .*, got \[4, {SIZE}\]"),
    ({"term": spoilt(lambda term: term[:0])}, rf"term: expected a tensor .*, got \[0, {SIZE}\]"),
    ({"term": spoilt(lambda term: term.detach())}, "term: expected a .* and a gradient, got one of torch.float32"),
    ({"term": spoilt(lambda term: term.long())}, "term: expected a .* and a gradient, got one of torch.int64"),
])
def test_a_broken_loss_is_told(changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AUXILIARY_LOSSES, "toy", type("Wrong", (Fullness,), changes)())
    with pytest.raises(SeamError, match=rf"^AUXILIARY_LOSSES\['toy'\]\.{message}"):
        Learner(made(MODELS["mlp"]), LearnerConfig(unroll=K)).step(batch(0), 0.5)


def test_a_loss_that_reads_more_than_it_asked_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AUXILIARY_LOSSES, "toy", type("Wrong", (Fullness,), {"later_obs": lambda *_: 0})())
    given = dataclasses.replace(batch(0), later_obs=None)
    with pytest.raises(SeamError, match="expected 1 later observations of each position, got 0: `later_obs` of"):
        compute(made(MODELS["mlp"]), Tensors.of(given), LearnerConfig(unroll=K))


@pytest.mark.parametrize("taken", ["h", "prefix", "packing", "step", "state_dict"])
def test_an_attribute_that_the_model_has_is_refused(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AUXILIARY_LOSSES, taken, Fullness())
    with pytest.raises(SeamError, match=f"AUXILIARY_LOSSES: '{taken}' is an attribute of every model; expected"):
        made(MODELS["prefix"])


def test_the_names_of_all_other_losses_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for attribute in list(AUXILIARY_LOSSES):
        monkeypatch.delitem(AUXILIARY_LOSSES, attribute)
    found = compute(made(MODELS["resnet"]), Tensors.of(batch(0)), LearnerConfig(unroll=K, discount_weight=1.0))
    assert found.terms.keys() == auxiliary.TAKEN - {"total", "gradient_norm", "learning_rate"}


def test_a_wrong_loss_is_told_before_anything_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AUXILIARY_LOSSES, "toy", type("Wrong", (Fullness,), {"name": "value"})())
    with pytest.raises(SeamError, match="name: expected one of its own, got 'value'"):
        Learner(made(MODELS["mlp"]), LearnerConfig(unroll=K))
