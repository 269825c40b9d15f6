"""The K-step loss against sums written out by hand, with models whose answers are known."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from muzero.config import LearnerConfig, ModelConfig, ScalarConfig
from muzero.learning.loss import compute, scale_gradient
from muzero.learning.tensors import Tensors
from muzero.learning.validation import Predictions, model_checks
from muzero.model.auxiliary import AUXILIARY_LOSSES, reconstruction_loss
from muzero.replay.batch import Batch

# Networks this small only lose by sharing out their work.
torch.set_num_threads(1)
B, K, A = 4, 3, 3
SQUARED = ModelConfig(value=ScalarConfig(kind="scalar"), reward=ScalarConfig(kind="scalar"))
CONFIG = LearnerConfig(unroll=K, value_weight=0.5, reward_weight=2.0, policy_weight=3.0, discount_weight=0.25)
SHARES = {"mean": (1.0, 1 / K, 1 / K, 1 / K), "equal": (1 / K, 1 / K, 1 / K, 1 / K)}


def batch(seed: int = 0, **changes: Any) -> Batch:
    """Random targets: row 0 inside all along, row 1 ends after two moves, row 2 is cut after two, row 3 at once."""
    rng = np.random.default_rng(seed)
    in_game = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]], np.bool_)
    ended = np.array([True, True, False, True])
    policy = rng.dirichlet(np.ones(A), (B, K + 1)).astype(np.float32)
    searched = in_game.copy()
    searched[0, 2] = False
    values = {
        "obs": rng.random((B, 2), np.float32), "action": rng.integers(0, A, (B, K)),
        "reward": rng.normal(size=(B, K)).astype(np.float32), "next_mover": rng.integers(0, 3, (B, K)),
        "value": rng.normal(size=(B, K + 1)).astype(np.float32), "policy": policy,
        "legal": np.ones((B, K + 1, A), np.bool_), "policy_mask": searched, "in_game": in_game,
        "value_mask": in_game | ended[:, None], "later_obs": None, "weight": rng.random(B, np.float32) + 0.5,
        "place": np.arange(B)[:, None] + np.arange(K + 1),
    }
    return Batch(**{**values, **changes})


def tensors(given: Batch) -> Tensors:
    return Tensors.of(given)


def without_auxiliary(model: nn.Module) -> None:
    """A model has the attribute of every auxiliary loss: here none has a network."""
    for attribute in AUXILIARY_LOSSES:
        setattr(model, attribute, None)


class Scripted(nn.Module):
    """Answers fixed beforehand; the latent [B, 1] counts the steps."""

    def __init__(self, seed: int = 0, config: ModelConfig = SQUARED, turns: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.config = config
        self.logits = torch.randn(K + 1, B, A, generator=generator)
        self.values = torch.randn(K + 1, B, 1, generator=generator)
        self.rewards = torch.randn(K, B, 1, generator=generator)
        self.turns = torch.randn(K, B, turns, generator=generator)
        self.actions: list[Tensor] = []
        self.prefix: Any = None
        without_auxiliary(self)

    def encode(self, obs: Tensor) -> Tensor:
        return torch.zeros(len(obs), 1)

    def bare(self, latent: Tensor) -> Tensor:
        return latent

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        k = round(float(latent[0, 0]))
        self.actions.append(action)
        return latent + 1, self.rewards[k], self.turns[k]

    def predict(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        k = round(float(latent[0, 0]))
        return self.logits[k], self.values[k]


def by_hand(model: Scripted, given: Batch, step_weights: str) -> dict[str, np.ndarray]:
    """Each term [B], summed over the steps with their shares."""
    shares = SHARES[step_weights]
    sums = {name: np.zeros(B) for name in ("policy", "value", "reward", "turn")}
    for b in range(B):
        for k in range(K + 1):
            if given.policy_mask[b, k]:
                log = torch.log_softmax(model.logits[k, b], 0).numpy()
                sums["policy"][b] -= shares[k] * float(given.policy[b, k] @ log)
            if given.value_mask[b, k]:
                sums["value"][b] += shares[k] * float(model.values[k, b, 0] - given.value[b, k]) ** 2
            if k == 0:
                continue
            if given.in_game[b, k - 1] or given.value_mask[b, k]:
                sums["reward"][b] += shares[k] * float(model.rewards[k - 1, b, 0] - given.reward[b, k - 1]) ** 2
            if given.in_game[b, k - 1]:
                log = torch.log_softmax(model.turns[k - 1, b], 0).numpy()
                sums["turn"][b] -= shares[k] * float(log[given.next_mover[b, k - 1]])
    return sums


@pytest.mark.parametrize("step_weights", ["mean", "equal"])
@pytest.mark.parametrize("absorbing", [True, False])
def test_every_term_is_its_sum_by_hand(absorbing: bool, step_weights: Literal["mean", "equal"]) -> None:
    given = batch()
    if not absorbing:
        given = dataclasses.replace(given, value_mask=given.in_game)
    model = Scripted()
    config = dataclasses.replace(CONFIG, step_weights=step_weights)
    found = compute(model, tensors(given), config)  # type: ignore[arg-type]
    wanted = by_hand(model, given, step_weights)
    assert found.terms.keys() == wanted.keys(), "none of a network that isn't there"
    for name, terms in wanted.items():
        assert float(found.terms[name]) == pytest.approx(terms.mean(), rel=1e-5), name
    total = 3.0 * wanted["policy"] + 0.5 * wanted["value"] + 2.0 * wanted["reward"] + 0.25 * wanted["turn"]
    assert float(found.total) == pytest.approx((given.weight * total).mean(), rel=1e-5)
    error = np.abs(model.values[0, :, 0].numpy() - given.value[:, 0])
    assert found.value_error.numpy() == pytest.approx(error, rel=1e-5)


def test_errors_for_priorities_are_in_the_scale_of_values() -> None:
    """A game that pays thousandths has the priorities of one that pays whole numbers."""
    given, model = batch(), Scripted()
    plain = compute(model, tensors(given), CONFIG).value_error  # type: ignore[arg-type]
    model.config = dataclasses.replace(model.config, value=dataclasses.replace(model.config.value, scale=0.5))
    small = dataclasses.replace(given, value=0.5 * given.value)
    assert torch.equal(compute(model, tensors(small), CONFIG).value_error, plain)  # type: ignore[arg-type]


def test_the_last_reward_of_a_game_is_always_trained() -> None:
    """Also where nothing past the end is: there a game's only reward would never be learned."""
    given = batch()
    reward = np.zeros((B, K), np.float32)
    reward[1, 1] = reward[2, 1] = reward[3, 0] = 1.0
    given = dataclasses.replace(given, value_mask=given.in_game, reward=reward)
    model = Scripted()
    model.rewards = torch.zeros(K, B, 1)
    only_rewards = dataclasses.replace(CONFIG, value_weight=0.0, policy_weight=0.0, discount_weight=0.0)
    losses = compute(model, tensors(given), only_rewards)  # type: ignore[arg-type]
    assert float(losses.terms["reward"]) == pytest.approx(3 / K / B)


def test_reward_and_turn_k_belong_to_action_k() -> None:
    """A model that states the right answer for the action it was given has no loss."""
    rng = np.random.default_rng(1)
    action = rng.integers(0, A, (B, K))
    inside = np.ones((B, K + 1), np.bool_)
    given = batch(action=action, reward=action.astype(np.float32), next_mover=action, in_game=inside, value_mask=inside)

    class Echo(Scripted):
        def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return latent + 1, action[:, None].float(), 50.0 * nn.functional.one_hot(action, 3)

    losses = compute(Echo(), tensors(given), CONFIG)  # type: ignore[arg-type]
    assert float(losses.terms["reward"]) == 0.0
    assert float(losses.terms["turn"]) == pytest.approx(0.0, abs=1e-6)


def test_a_model_with_fixed_discounts_has_no_turn_loss() -> None:
    losses = compute(Scripted(turns=0), tensors(batch()), CONFIG)  # type: ignore[arg-type]
    assert float(losses.terms["turn"]) == 0.0


# --- gradients ----------------------------------------------------------------------------------------------


class Line(nn.Module):
    """One number all through: latent = h obs, next latent = g latent, reward = r latent, value = v latent."""

    def __init__(self) -> None:
        super().__init__()
        self.config, self.prefix = SQUARED, None
        without_auxiliary(self)
        self.h, self.g, self.r, self.v = (nn.Parameter(torch.tensor(x)) for x in (0.7, 1.3, -0.4, 0.9))

    def bare(self, latent: Tensor) -> Tensor:
        return latent

    def encode(self, obs: Tensor) -> Tensor:
        return self.h * obs[:, :1]

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.g * latent, self.r * latent, latent.new_zeros(len(latent), 0)

    def predict(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        return latent.new_zeros(len(latent), A), self.v * latent


def line_gradients(given: Batch, state_gradient: float) -> dict[str, float]:
    """Gradients of `Line`, backwards step by step; only what passes a latent is scaled."""
    h, g, r, v = 0.7, 1.3, -0.4, 0.9
    sums = {"h": 0.0, "g": 0.0, "r": 0.0, "v": 0.0}
    for b in range(B):
        weight = float(given.weight[b]) / B
        x = [h * float(given.obs[b, 0]) * g**k for k in range(K + 1)]
        behind = 0.0  # d loss / d x[k] through step k + 1, as it arrives at x[k]
        for k in range(K, -1, -1):
            miss = 2 * 0.5 * SHARES["mean"][k] * weight * (v * x[k] - float(given.value[b, k]))
            sums["v"] += miss * x[k]
            at_x = miss * v + behind
            if k == 0:
                sums["h"] += at_x * float(given.obs[b, 0])
                break
            pay = 2 * 2.0 * SHARES["mean"][k] * weight * (r * x[k - 1] - float(given.reward[b, k - 1]))
            sums["g"] += at_x * x[k - 1]
            sums["r"] += pay * x[k - 1]
            behind = state_gradient * (at_x * g + pay * r)
    return sums


@pytest.mark.parametrize("state_gradient", [1.0, 0.5, 0.0])
def test_only_what_flows_back_through_a_latent_is_scaled(state_gradient: float) -> None:
    everywhere = np.ones((B, K + 1), np.bool_)
    given = batch(in_game=everywhere, value_mask=everywhere)
    model = Line()
    config = dataclasses.replace(CONFIG, state_gradient=state_gradient)
    compute(model, tensors(given), config).total.backward()  # type: ignore[arg-type]
    wanted = line_gradients(given, state_gradient)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert float(parameter.grad) == pytest.approx(wanted[name], rel=1e-4), name


def test_scaling_a_gradient_leaves_the_number() -> None:
    x = torch.tensor([2.0, -3.0], requires_grad=True)
    y = scale_gradient(x, 0.25)
    assert y.tolist() == [2.0, -3.0]
    (y**2).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, -1.5]


def test_masked_steps_give_no_gradient() -> None:
    given = batch()
    model = Scripted()
    for name in ("logits", "values", "rewards", "turns"):
        setattr(model, name, getattr(model, name).clone().requires_grad_())
    compute(model, tensors(given), CONFIG).total.backward()  # type: ignore[arg-type]
    touched = {name: getattr(model, name).grad.abs().sum(2).T > 0 for name in ("logits", "values", "rewards", "turns")}
    assert (touched["logits"].numpy() == given.policy_mask).all()
    assert (touched["values"].numpy() == given.value_mask).all()
    assert (touched["rewards"].numpy() == (given.in_game[:, :-1] | given.value_mask[:, 1:])).all()
    assert (touched["turns"].numpy() == given.in_game[:, :-1]).all()


# --- training aids ------------------------------------------------------------------------------------------


def test_reconstruction_and_consistency_look_only_inside() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(B, K, 2)).astype(np.float32)
    config = dataclasses.replace(CONFIG, reconstruction_weight=1.0, consistency_weight=1.0)
    model = Scripted()
    model.decoder = lambda latent: latent * torch.tensor([1.0, 2.0])
    model.consistency = lambda unrolled, encoded: (unrolled - encoded)[:, 0]
    losses = compute(model, tensors(batch(later_obs=seen)), config)  # type: ignore[arg-type]
    inside = batch().in_game
    pictures = sum(
        SHARES["mean"][k] * inside[b, k] * ((np.array([k, 2.0 * k]) - seen[b, k - 1]) ** 2).mean()
        for b in range(B) for k in range(1, K + 1))
    assert float(losses.terms["reconstruction"]) == pytest.approx(pictures / B, rel=1e-5)
    latents = sum(SHARES["mean"][k] * inside[b, k] * k for b in range(B) for k in range(1, K + 1))
    assert float(losses.terms["consistency"]) == pytest.approx(latents / B, rel=1e-5)


def test_consistency_compares_with_the_position_after_the_same_action_and_holds_it_fixed() -> None:
    seen = np.arange(B * K, dtype=np.float32).reshape(B, K, 1).repeat(2, 2)
    met: list[tuple[Tensor, Tensor]] = []
    model = Line()
    config = dataclasses.replace(CONFIG, consistency_weight=1.0)

    def compare(unrolled: Tensor, encoded: Tensor) -> Tensor:
        met.append((unrolled, encoded))
        return unrolled[:, 0] * encoded[:, 0]

    model.consistency = compare  # type: ignore[assignment]
    compute(model, tensors(batch(later_obs=seen)), config)  # type: ignore[arg-type]
    (unrolled, encoded), = met
    wanted = batch().obs[:, 0] * 0.7 * 1.3 ** np.arange(1, K + 1)[:, None]
    assert unrolled.detach().view(K, B).numpy() == pytest.approx(wanted, rel=1e-5)
    assert encoded.view(K, B).numpy() == pytest.approx(0.7 * seen[:, :, 0].T)
    assert unrolled.requires_grad
    assert not encoded.requires_grad


@pytest.mark.parametrize("given", [1, K])
def test_consistency_of_the_first_steps_alone_weighs_them_as_before(given: int) -> None:
    """`given` pictures come along: as many as are compared, or more where a reconstruction wants them."""
    seen = np.random.default_rng(0).normal(size=(B, given, 2)).astype(np.float32)
    model = Line()
    model.consistency = lambda unrolled, encoded: unrolled[:, 0] + 2.0 * encoded[:, 0]  # type: ignore[assignment]
    config = dataclasses.replace(CONFIG, consistency_weight=1.0, consistency_steps=1)
    losses = compute(model, tensors(batch(later_obs=seen)), config)  # type: ignore[arg-type]
    compared = 0.7 * 1.3 * batch().obs[:, 0] + 2.0 * 0.7 * seen[:, 0, 0]
    wanted = SHARES["mean"][1] * (batch().in_game[:, 1] * compared).mean()
    assert float(losses.terms["consistency"]) == pytest.approx(wanted, rel=1e-5)


def test_reconstruction_of_planes_is_cross_entropy_and_of_numbers_squared() -> None:
    output = torch.tensor([[[0.5, -1.0], [2.0, 0.0]]])
    planes = torch.tensor([[[1, 0], [1, 0]]], dtype=torch.uint8)
    chance = torch.sigmoid(output)
    wanted = -(planes * chance.log() + (1 - planes) * (1 - chance).log()).mean()
    assert float(reconstruction_loss(output, planes)) == pytest.approx(float(wanted), rel=1e-5)
    numbers = torch.tensor([[[1.5, 0.0], [2.0, 1.0]]])
    assert float(reconstruction_loss(output, numbers)) == pytest.approx((1 + 1 + 0 + 1) / 4)


# --- checks -------------------------------------------------------------------------------------------------


def checks(
    rewards: list[list[float]], stated: list[list[float]], inside: list[list[bool]],
    trained: list[list[bool]] | None = None,
) -> dict[str, float]:
    """Checks of rows of K = 2 moves whose stated values are all 0.25 too high."""
    size, steps = len(rewards), len(rewards[0])
    value = np.zeros((size, steps + 1), np.float32)
    given = batch(reward=np.array(rewards, np.float32), in_game=np.array(inside), value=value,
                  value_mask=np.ones((size, steps + 1), np.bool_) if trained is None else np.array(trained),
                  action=np.zeros((size, steps), np.int64), weight=np.ones(size, np.float32))
    values, outputs = torch.full((steps + 1, size, 1), 0.25), torch.tensor(stated).T[:, :, None]
    found = model_checks(Predictions(values, outputs, tensors(given), SQUARED))
    return {name: float(number) for name, number in found.items()}


def test_recall_and_false_alarms_of_known_outputs() -> None:
    rewards = [[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [1.0, -1.0], [0.0, 0.0]]
    #          seen        wrong sign   too small   seen; missed  alarm; silent
    stated = [[0.5, 0.4], [1.0, 0.7], [0.9, 0.0], [1.0, 0.0], [-0.7, 0.5]]
    inside = [[True] * 3, [True] * 3, [True] * 3, [True, True, False], [True, True, False]]
    found = checks(rewards, stated, inside)
    assert found["recall@1"] == pytest.approx(2 / 4)
    assert found["false@1"] == pytest.approx(1 / 1)
    assert found["recall@2"] == 0.0
    assert found["false@2"] == pytest.approx(1 / 4), "0.7 counts, 0.4 and 0.5 don't: 1.2 is usual"
    assert found["value_error@2"] == pytest.approx(0.25)


@pytest.mark.parametrize(("share", "alarms"), [(0.3, 0.0), (0.4, 0.0), (0.7, 1.0)])
def test_what_chance_may_pay_is_no_false_alarm_unless_it_is_likely(share: float, alarms: float) -> None:
    """A model that knows no more than the odds states their mean after every move: rewards of 4 to 64, or nothing."""
    paid = [4.0, 8.0, 64.0] * (round(10 * share) * 4)
    rewards = [[reward] for reward in paid + [0.0] * (round(10 * (1 - share)) * 12)]
    mean = sum(reward for reward, in rewards) / len(rewards)
    assert checks(rewards, [[mean]] * len(rewards), [[True] * 2] * len(rewards))["false@1"] == alarms


def test_without_any_reward_nothing_is_judged_by_its_size() -> None:
    found = checks([[0.0, 0.0]], [[9.0, 9.0]], [[True] * 3])
    assert found["false@1"] == 0.0


def test_moves_past_the_end_are_not_checked() -> None:
    found = checks([[1.0, 0.0]], [[1.0, 9.0]], [[True, False, False]])
    assert found["recall@1"] == 1.0
    assert found["false@2"] == 0.0
    assert np.isnan(found["value_error@1"]), "no position there: nothing to judge"
    assert np.isnan(found["recall@2"]), "no reward there: nothing to recall"


def test_values_whose_target_is_not_known_are_not_judged() -> None:
    """As of a position never searched in a game that was cut: its target is what was paid until then."""
    inside, trained = [[True] * 3] * 2, [[True, False, False], [True, True, False]]
    found = checks([[0.0, 0.0]] * 2, [[0.0, 0.0]] * 2, inside, trained)
    assert found["value_error@0"] == found["value_error@1"] == pytest.approx(0.25)
    assert np.isnan(found["value_error@2"])


def test_a_priority_whose_target_is_not_known_is_the_others_mean() -> None:
    given, model = batch(), Scripted()
    trained = given.value_mask.copy()
    trained[1:3, 0] = False
    error = np.abs(model.values[0, :, 0].numpy() - given.value[:, 0])
    error[1:3] = error[[b for b in range(B) if b not in (1, 2)]].mean()
    found = compute(model, tensors(dataclasses.replace(given, value_mask=trained)), CONFIG)  # type: ignore[arg-type]
    assert found.value_error.numpy() == pytest.approx(error, rel=1e-5)
    trained[:, 0] = False
    found = compute(model, tensors(dataclasses.replace(given, value_mask=trained)), CONFIG)  # type: ignore[arg-type]
    assert found.value_error.isnan().all()
