"""The learner: what stops it, what it averages, and that a restored one goes on to the last bit."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from recorders import Again
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import games
from muzero.config import LearnerConfig, ModelConfig, ScalarConfig
from muzero.device import precision
from muzero.device.graphs import WARM_UPS, Recorder
from muzero.learning.learner import Learner, LearningError, learning_rate
from muzero.learning.tensors import Tensors
from muzero.model.learned import LearnedModel
from muzero.replay.batch import Batch

T = TypeVar("T")
# Networks this small only lose by sharing out their work.
torch.set_num_threads(1)
CONFIG = LearnerConfig(unroll=2, learning_rate=1e-2, warmup=0.0, decay_from=1.0)
MLP = ModelConfig(width=16, hidden=24)
RESNET = ModelConfig(network="resnet", width=8, hidden=8, latent_norm="rms", discount="learned", norm="batch",
                     value=ScalarConfig(bins=5), reconstruction=True)


WIDE = dataclasses.replace(RESNET, width=16, hidden=16)
CASES: dict[str, dict[str, Any]] = {
    "mlp": {"model": MLP}, "resnet": {"model": RESNET}, "muon": {"model": WIDE, "optimizer": "muon"},
    "bfloat16": {"model": WIDE, "precision": "bfloat16"}}
"""What is made differently when a learner of each kind is."""
ONE_NUMBER = dataclasses.replace(MLP, value=ScalarConfig(kind="scalar"))


def make(
    model: ModelConfig = MLP, *, deferred: bool | None = None, recorder: Recorder | None = None, **changes: Any
) -> Learner:
    torch.manual_seed(0)
    return Learner(LearnedModel(games.spec("tic_tac_toe"), model, 1.0), dataclasses.replace(CONFIG, **changes),
                   deferred=deferred, recorder=recorder)


def batch(seed: int, size: int = 12, unroll: int = 2) -> Batch:
    """Random positions; a reward follows from the first action, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    action = rng.integers(0, 9, (size, unroll))
    ones = np.ones((size, unroll + 1), np.bool_)
    return Batch(
        obs=rng.integers(0, 2, (size, 3, 3, 3), dtype=np.uint8), action=action,
        reward=((action % 3) - 1.0).astype(np.float32), next_mover=np.full((size, unroll), 2),
        value=rng.choice([-1.0, 1.0], (size, unroll + 1)).astype(np.float32),
        policy=rng.dirichlet(np.ones(9), (size, unroll + 1)).astype(np.float32),
        legal=np.ones((size, unroll + 1, 9), np.bool_), policy_mask=ones, in_game=ones, value_mask=ones,
        later_obs=rng.integers(0, 2, (size, unroll, 3, 3, 3), dtype=np.uint8), weight=np.ones(size, np.float32),
        place=np.arange(size)[:, None] + np.arange(unroll + 1))


def everything(learner: Learner) -> dict[str, bytes]:
    """All that training may change, as bytes."""
    held = {f"model/{name}": value for name, value in learner.model.state_dict().items()}
    held |= {f"averaged/{name}": value for name, value in learner.averaged.state_dict().items()}
    held |= {f"optimizer/{name}": value for name, value in learner.optimizers.tensors().items()}
    return {name: value.detach().contiguous().numpy().tobytes() for name, value in held.items()}


# --- what stops it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["value", "reward", "policy", "weight"])
@pytest.mark.parametrize("model", [MLP, RESNET], ids=["mlp", "resnet"])
def test_a_batch_with_nan_stops_before_anything_moves(field: str, model: ModelConfig) -> None:
    learner = make(model, ema=0.9)
    learner.step(batch(0), 0.5)
    before = everything(learner)
    spoilt = batch(1)
    getattr(spoilt, field)[3] = np.nan
    message = r"step 2: loss nan.*learner.learning_rate.*the checkpoints are unchanged"
    with pytest.raises(LearningError, match=message):
        learner.step(spoilt, 0.5)
    assert everything(learner) == before
    assert learner.steps == 1
    learner.step(batch(2), 0.5)
    assert learner.steps == 2


def test_running_statistics_come_back_after_a_failed_step() -> None:
    learner = make(RESNET)
    before = everything(learner)
    assert any("running_mean" in name for name in before)
    spoilt = dataclasses.replace(batch(1), obs=np.full((12, 3, 3, 3), np.nan, np.float32))
    with pytest.raises(LearningError):
        learner.step(spoilt, 0.5)
    assert everything(learner) == before


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["obs", "later_obs"])
@pytest.mark.parametrize("deferred", [False, True])
def test_an_observation_that_is_not_finite_is_the_games_fault(field: str, bad: float, deferred: bool) -> None:
    learner = make(RESNET, deferred=deferred)
    before = everything(learner)
    wrong = getattr(batch(1), field).astype(np.float32)
    wrong[3].reshape(-1)[-1] = bad
    words = "step 1: expected finite observations of the game tic_tac_toe, got NaN"
    with pytest.raises(LearningError, match=words) as caught:
        learner.step(dataclasses.replace(batch(1), **{field: wrong}), 0.5)
    assert "learning_rate" not in str(caught.value)
    assert everything(learner) == before
    learner.step(batch(1), 0.5)


def test_too_large_observations_are_named_where_learning_fails() -> None:
    huge = dataclasses.replace(batch(1), obs=np.full((12, 3, 3, 3), 1e38, np.float32))
    with pytest.raises(LearningError, match=r"observations have entries up to 1e\+38"):
        make(MLP).step(huge, 0.5)


def test_pictures_that_are_not_finite_are_not_measured() -> None:
    learner, wrong = make(), np.full((2, 3, 3, 3), np.nan, np.float32)
    with pytest.raises(LearningError, match="expected finite observations of the game tic_tac_toe, got NaN"):
        learner.fit_normaliser(wrong)


def test_a_gradient_that_is_not_finite_is_named() -> None:
    learner = make()
    before = everything(learner)
    learner.model.f.policy.bias.register_hook(lambda gradient: gradient / 0.0)  # type: ignore[union-attr]
    with pytest.raises(LearningError, match=r"gradient norm (inf|nan) .*not finite in: f.policy.bias\. Lower"):
        learner.step(batch(0), 0.5)
    assert everything(learner) == before


@pytest.mark.parametrize("where", ["model", "averaged", "optimizer"])
def test_weights_that_an_update_spoilt_are_named(where: str) -> None:
    learner = make(ema=0.9)
    learner.step(batch(0), 0.5)
    learner.check_finite()
    held = {"model": dict(learner.model.state_dict()), "averaged": dict(learner.averaged.state_dict()),
            "optimizer": learner.optimizers.tensors()}[where]
    name = "f.value.bias" + ("/exp_avg_sq" if where == "optimizer" else "")
    held[name].fill_(math.inf)
    with pytest.raises(LearningError, match=rf"step 1: weights not finite in: {name}\. Lower learner.learning_rate"):
        learner.check_finite()


# --- updates that the host looks at later -------------------------------------------------------------------


@pytest.mark.parametrize("recorder", [None, Again()], ids=["plain", "recorded"])
@pytest.mark.parametrize("case", CASES)
def test_a_deferred_update_is_the_same_update(case: str, recorder: Recorder | None) -> None:
    # A rate that both number formats hold exactly.
    settings: dict[str, Any] = {**CASES[case], "ema": 0.9, "learning_rate": 2.0**-7}
    now, later = make(**settings), make(**settings, deferred=True, recorder=recorder)
    for step in range(WARM_UPS + 2):
        one, other = now.step(batch(step), 0.5), later.step(batch(step), 0.5)
        assert torch.equal(one.losses.total, other.losses.total)
        assert torch.equal(one.gradient_norm, other.gradient_norm)
        assert one.learning_rate == other.learning_rate
        assert torch.equal(one.losses.value_error, other.losses.value_error)
        checks = other.losses.checks
        assert all(torch.equal(value, checks[name]) for name, value in one.losses.checks.items())
    later.settle()
    weights, averaged = later.model.state_dict(), later.averaged.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in now.model.state_dict().items())
    assert all(torch.allclose(value, averaged[name], atol=1e-6) for name, value in now.averaged.state_dict().items())
    assert now.optimizers.tensors().keys() == later.optimizers.tensors().keys()
    assert now.steps == later.steps == WARM_UPS + 2


@pytest.mark.parametrize("field", ["value", "reward", "policy", "weight"])
@pytest.mark.parametrize("case", CASES)
def test_a_deferred_batch_with_nan_stops_a_step_later_and_nothing_has_moved(field: str, case: str) -> None:
    learner = make(**CASES[case], ema=0.9, deferred=True, recorder=Again())
    learner.step(batch(0), 0.5)
    before = everything(learner)
    spoilt = batch(1)
    getattr(spoilt, field)[3] = np.nan
    learner.step(spoilt, 0.5)
    assert everything(learner) == before
    message = r"step 2: loss nan, gradient norm nan.*learner.learning_rate.*the checkpoints are unchanged"
    with pytest.raises(LearningError, match=message):
        learner.step(batch(2), 0.5)
    assert everything(learner) == before, "the update after it moved nothing either"
    assert learner.steps == 1
    learner.step(batch(3), 0.5)
    learner.check_finite()
    assert learner.steps == 2
    assert everything(learner) != before


def test_a_deferred_verdict_comes_before_weights_are_saved_or_played() -> None:
    learner = make(deferred=True)
    learner.step(batch(0), 0.5)
    learner.model.f.policy.bias.register_hook(lambda gradient: gradient / 0.0)  # type: ignore[union-attr]
    learner.step(batch(1), 0.5)
    with pytest.raises(LearningError, match=r"step 2: .* norm (inf|nan) .*not finite in: f.policy.bias\. Lower"):
        learner.check_finite()
    assert learner.steps == 1


class HostLooks(TorchDispatchMode):
    """Collects operations that need the numbers themselves, for which a host would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("case", CASES)
def test_a_deferred_update_never_looks(case: str) -> None:
    aids = dataclasses.replace(CASES[case]["model"], reconstruction=True, consistency=True)
    learner = make(**{**CASES[case], "model": aids}, ema=0.9, reconstruction_weight=1.0, consistency_weight=1.0,
                   deferred=True)
    learner.step(batch(0), 0.5)
    with HostLooks() as looks:
        learner.update.start(Tensors.of(batch(1)), 1e-3, 0.1)
    assert looks.found == []
    with looks:
        bool(learner.update.bad > 0)
    assert looks.found == ["aten._local_scalar_dense.default"]


# --- schedules, groups, clipping ----------------------------------------------------------------------------


def test_the_rate_warms_up_stays_and_falls() -> None:
    config = LearnerConfig(learning_rate=2.0, final_rate=0.1, warmup=0.1, decay_from=0.4)
    found = [learning_rate(config, x) for x in (0.0, 0.05, 0.1, 0.3, 0.4, 0.7, 1.0, 1.5)]
    middle = 2.0 * (0.1 + 0.9 * 0.5)
    assert found == pytest.approx([0.02, 1.0, 2.0, 2.0, 2.0, middle, 0.2, 0.2])
    quarter = 2.0 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert learning_rate(config, 0.55) == pytest.approx(quarter)
    assert learning_rate(dataclasses.replace(config, warmup=0.0), 0.0) == 2.0
    assert learning_rate(dataclasses.replace(config, decay_from=1.0), 1.0) == 2.0


def test_the_rate_of_a_step_is_that_of_its_progress() -> None:
    learner = make(learning_rate=2e-3, warmup=0.5, decay_from=0.5)
    assert learner.step(batch(0), 0.25).learning_rate == pytest.approx(1e-3)
    assert {group["lr"] for group in learner.optimizers.all[0].param_groups} == {1e-3}
    before = {name: p.detach().clone() for name, p in learner.model.named_parameters()}
    learner.step(batch(0), 0.0)
    moved = max(float((p - before[name]).detach().abs().max()) for name, p in learner.model.named_parameters())
    assert 0.0 < moved <= 2.1e-5, "AdamW moves a weight by about its rate"


def test_gradients_are_clipped_to_the_norm() -> None:
    learner = make(clip=1e-3, value_weight=50.0)
    report = learner.step(batch(0), 0.5)
    assert float(report.gradient_norm) > 1.0
    kept = torch.stack([p.grad.norm() for p in learner.model.parameters() if p.grad is not None]).norm()
    assert float(kept) == pytest.approx(1e-3, rel=1e-3)


# --- averaged weights ---------------------------------------------------------------------------------------


def test_averaged_weights_follow_their_formula() -> None:
    learner = make(RESNET, ema=0.5, reconstruction_weight=1.0)
    names = [name for name, _ in learner.model.named_parameters()]
    average = {name: p.detach().clone() for name, p in learner.model.named_parameters()}
    for step in range(1, 9):
        learner.step(batch(step), 0.5)
        decay = min(0.5, (1 + step) / (10 + step))
        now = dict(learner.model.named_parameters())
        average = {name: decay * average[name] + (1 - decay) * now[name].detach() for name in names}
    kept = dict(learner.averaged.named_parameters())
    assert all(torch.allclose(kept[name], average[name], atol=1e-6) for name in names)
    assert not any(torch.equal(kept[name], now[name]) for name in names if now[name].dim() > 1)
    buffers = dict(learner.model.named_buffers())
    assert buffers
    assert all(torch.equal(value, buffers[name]) for name, value in learner.averaged.named_buffers())
    assert not any(p.requires_grad for p in learner.averaged.parameters())


def test_without_averaging_play_uses_the_trained_weights() -> None:
    learner = make()
    assert learner.averaged is learner.model


# --- going on -----------------------------------------------------------------------------------------------


def stored(held: dict[str, Tensor]) -> dict[str, Tensor]:
    """As a file gives tensors back: in rows, whatever their order in memory was."""
    return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in held.items()}


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("case", CASES)
def test_a_restored_learner_goes_on_to_the_last_bit(case: str, ema: float) -> None:
    settings = {**CASES[case], "ema": ema, "reconstruction_weight": 1.0}
    first = make(**settings)
    for step in range(4):
        first.step(batch(step), 0.5)
    parts = [stored(dict(held.state_dict())) for held in (first.model, first.averaged)]
    optimizer = stored(first.optimizers.tensors())
    second = make(**settings)
    second.step(batch(77), 0.1)
    second = make(**settings)
    second.restore(parts[0], parts[1], optimizer, 4)
    assert everything(first) == everything(second)
    for step in range(4, 8):
        one, other = first.step(batch(step), 0.7), second.step(batch(step), 0.7)
        assert torch.equal(one.losses.total, other.losses.total)
    assert everything(first) == everything(second)


def test_a_restored_learner_owns_its_tensors() -> None:
    first, second = make(), make()
    first.step(batch(0), 0.5)
    second.restore(dict(first.model.state_dict()), {}, first.optimizers.tensors(), 1)
    before = everything(first)
    second.step(batch(1), 0.5)
    assert everything(first) == before


SPOILT: dict[str, dict[str, Tensor]] = {
    "exp_avg: expected float32": {"f.value.bias/exp_avg": torch.zeros(3, 5)},
    "exp_avg_sq: expected float32": {"f.value.bias/exp_avg_sq": torch.zeros(1, dtype=torch.float64)},
    r"step: expected float32 \[\]": {"f.value.bias/step": torch.ones(1)},
    "step: expected finite numbers": {"f.value.bias/step": torch.tensor(-1.0)},
    "exp_avg: expected finite numbers": {"f.value.bias/exp_avg": torch.full((1,), math.nan)},
    "exp_avg_sq: expected finite numbers": {"f.value.bias/exp_avg_sq": torch.full((1,), -1.0)},
    "expected entries of the model's parameters, got 'f.valeu.bias/exp_avg'": {"f.valeu.bias/exp_avg": torch.zeros(1)},
    "expected entries of the model's parameters, got 'f.value.bias/max'": {"f.value.bias/max": torch.zeros(1)},
}


@pytest.mark.parametrize("message", SPOILT)
def test_optimizer_state_that_does_not_fit_is_refused(message: str) -> None:
    """A fused update would read past the end of what it is given."""
    first, second = make(ONE_NUMBER), make(ONE_NUMBER)
    first.step(batch(0), 0.5)
    weights, good = dict(first.model.state_dict()), stored(first.optimizers.tensors())
    with pytest.raises(ValueError, match=message):
        second.restore(weights, {}, good | SPOILT[message], 1)
    rest = {name: value for name, value in good.items() if "f.value.bias/" not in name}
    with pytest.raises(ValueError, match=r"f\.value\.bias: expected exp_avg, exp_avg_sq, step .* adamw, got momentum"):
        second.restore(weights, {}, rest | {"f.value.bias/momentum": torch.zeros(1)}, 1)
    for lost in ("step", "exp_avg", "exp_avg_sq"):
        some = {name: value for name, value in good.items() if name != f"f.value.bias/{lost}"}
        with pytest.raises(ValueError, match=r"f\.value\.bias: expected exp_avg, exp_avg_sq, step .* adamw, got"):
            second.restore(weights, {}, some, 1)
    second.restore(weights, {}, rest, 1)
    assert second.step(batch(1), 0.5).losses.total.isfinite()


def test_restoring_before_the_first_step() -> None:
    learner = make()
    learner.restore(dict(make().model.state_dict()), {}, {}, 0)
    assert learner.step(batch(0), 0.5).losses.total.isfinite()


# --- it learns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_batch_can_be_learned_by_heart(case: str) -> None:
    learner = make(**CASES[case])
    given = batch(0)
    first = learner.step(given, 0.5).losses
    for _ in range(80):
        last = learner.step(given, 0.5).losses
    assert float(last.terms["reward"]) < 0.1 * float(first.terms["reward"])
    assert float(last.terms["value"]) < 0.3 * float(first.terms["value"])
    assert float(last.checks["recall@1"]) == 1.0
    assert float(last.checks["false@2"]) == 0.0


def test_bfloat16_steps_round_and_float32_is_usual_on_a_cpu() -> None:
    """Weights stay float32 in each."""
    plain, same, low = make(RESNET), make(RESNET, precision="float32"), make(RESNET, precision="bfloat16")
    losses = [float(learner.step(batch(0), 0.5).losses.total) for learner in (plain, same, low)]
    assert losses[0] == losses[1] != losses[2]
    assert abs(losses[2] - losses[0]) < 0.01 * losses[0]
    assert all(parameter.dtype == torch.float32 for parameter in low.model.parameters())
    assert precision.for_learning("auto", False, torch.device("cpu")) == torch.float32
    assert precision.for_learning("auto", False, torch.device("cuda")) == torch.bfloat16


@pytest.mark.parametrize("fast", [True, False])
def test_pictures_are_learned_in_bfloat16_where_it_is_fast(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: fast)
    wanted = torch.bfloat16 if fast else torch.float32
    for decide in (precision.for_learning, precision.for_search):
        assert decide("auto", True, torch.device("cpu")) == wanted
        assert decide("float32", True, torch.device("cpu")) == torch.float32
        assert decide("bfloat16", False, torch.device("cpu")) == torch.bfloat16
