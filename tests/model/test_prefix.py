"""Value prefix: sums of rewards along a line, whose memory travels with the latent."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import games
from muzero.config import LearnerConfig, ModelConfig, ScalarConfig
from muzero.learning.learner import Learner
from muzero.learning.loss import compute
from muzero.learning.tensors import Tensors
from muzero.model import scalar
from muzero.model.learned import LearnedModel
from muzero.model.networks.prefix import Packing, differences, sums
from muzero.model.prepared import PreparedModel
from muzero.replay.batch import Batch

torch.set_num_threads(1)
REWARD = ScalarConfig(low=-3.0, high=3.0, bins=7)
MODELS = {
    "mlp": (games.spec("gym/CartPole-v1"), ModelConfig(network="mlp", width=8, hidden=16)),
    "resnet": (games.spec("catch"), ModelConfig(network="resnet", width=4, hidden=8, latent_norm="rms")),
    "pixels": (games.spec("atari/pong(size=40)"),
               ModelConfig(network="pixels", width=6, hidden=8, latent_norm="rms", norm="batch",
                           representation_blocks=1)),
}


def build(kind: str, period: int = 2, noise: float = 0.3) -> LearnedModel:
    """noise: deviation of random weights; 0 = those that training begins with."""
    torch.manual_seed(0)
    spec, config = MODELS[kind]
    config = dataclasses.replace(config, prefix=period, prefix_hidden=5, reward=REWARD)
    model = LearnedModel(spec, config, 0.9).eval()
    for parameter in model.parameters() if noise else ():
        torch.nn.init.normal_(parameter, 0.0, noise)
    return model


def observations(model: LearnedModel, count: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 2 * model.spec.observation_high, (count, *model.spec.observation_shape))
    return torch.from_numpy(drawn.astype(model.spec.observation_dtype))


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_rewards_of_a_line_are_the_steps_of_its_sums(kind: str) -> None:
    """The memory begins anew after each period, wherever the line began."""
    model, period = build(kind, period=2), 2
    latent, action = model.root(observations(model, 3), torch.ones(3, 9)).latent, torch.tensor([0, 1, 1])
    said, paid = [], []
    for _ in range(5):
        said.append(scalar.decode(model.advance(latent, action)[1], REWARD))
        out = model.step(latent, action)
        latent = out.latent
        paid.append(out.reward)
    torch.testing.assert_close(torch.stack(paid), differences(torch.stack(said), period))
    torch.testing.assert_close(sums(torch.stack(paid), period), torch.stack(said))


@torch.no_grad()
def test_what_is_said_hangs_on_the_moves_since_the_sum_began() -> None:
    """Two lines into one position: the sum remembers its line, a plain reward would not."""
    model = build("resnet", period=3)
    obs = observations(model, 1)
    first = model.advance(model.encode(obs), torch.tensor([0]))[0]
    other = model.packing.pack(model.bare(first), torch.zeros(1, model.packing.size))
    said = [model.advance(latent, torch.tensor([1]))[1] for latent in (first, other)]
    assert (said[0] - said[1]).abs().max() > 1e-3
    values = [model.predict(latent)[1] for latent in (first, other)]
    torch.testing.assert_close(values[0], values[1])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_the_prepared_twin_says_the_same(kind: str, dtype: torch.dtype) -> None:
    model = build(kind)
    twin = PreparedModel(model, dtype)
    obs, legal = observations(model, 4), torch.ones(4, model.num_actions, dtype=torch.bool)
    plain, prepared = model.root(obs, legal), twin.root(obs, legal)
    tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == torch.float32 else {"rtol": 0.3, "atol": 0.3}
    for _ in range(3):
        action = torch.tensor([0, 1, 0, 1])
        step, fast = model.step(plain.latent, action), twin.step(prepared.latent, action)
        assert fast.latent.shape == (4, *model.latent_shape)
        torch.testing.assert_close(fast.reward, step.reward, **tolerance)
        torch.testing.assert_close(fast.value, step.value, **tolerance)
        plain, prepared = step, fast  # type: ignore[assignment]


def batch_of(model: LearnedModel, reward: list[list[float]]) -> Batch:
    size, unroll = len(reward), len(reward[0])
    ones = np.ones((size, unroll + 1), np.bool_)
    return Batch(
        obs=observations(model, size).numpy(), action=np.ones((size, unroll), np.int64),
        reward=np.array(reward, np.float32), next_mover=np.ones((size, unroll), np.int64),
        value=np.zeros((size, unroll + 1), np.float32),
        policy=np.full((size, unroll + 1, model.num_actions), 1.0 / model.num_actions, np.float32),
        legal=np.ones((size, unroll + 1, model.num_actions), np.bool_), policy_mask=ones, in_game=ones, value_mask=ones,
        later_obs=None, weight=np.ones(size, np.float32), place=np.arange(size)[:, None] + np.arange(unroll + 1))


@pytest.mark.parametrize("kind", MODELS)
def test_rewards_are_learned(kind: str) -> None:
    """Also where the period ends within the unroll."""
    model = build(kind, period=2, noise=0.0)
    batch = batch_of(model, [[1.0, 0.0, -1.0, 1.0], [0.0, 1.0, 0.0, 0.0]])
    learner = Learner(model, LearnerConfig(unroll=4, learning_rate=1e-2, warmup=0.0, decay_from=1.0,
                                           value_weight=0.0, policy_weight=0.0, weight_decay=0.0,
                                           precision="float32"))
    for _ in range(300):
        losses = learner.step(batch, 0.5).losses
    assert float(losses.terms["reward"]) < 0.3
    assert all(float(losses.checks[f"recall@{k}"]) == 1.0 for k in (1, 2, 3, 4))
    assert all(float(losses.checks[f"false@{k}"]) == 0.0 for k in (1, 2, 3, 4))


def test_gradients_reach_the_memory() -> None:
    model = build("resnet", period=4).train()
    losses = compute(model, Tensors.of(batch_of(model, [[1.0, 0.0, 1.0]])), LearnerConfig(unroll=3))
    losses.total.backward()  # type: ignore[no-untyped-call]
    assert model.prefix is not None
    assert model.prefix.cell.weight_hh.grad is not None
    assert model.prefix.cell.weight_hh.grad.abs().sum() > 0
    assert model.g is not None
    assert model.g.facts is None


@pytest.mark.parametrize("shape", [(7,), (4, 3), (3, 2, 5)])
def test_packing_keeps_both(shape: tuple[int, ...]) -> None:
    packing = Packing(shape, 11)
    latent, memory = torch.randn(4, *shape), torch.randn(4, 11)
    packed = packing.pack(latent, memory)
    assert packed.shape == (4, *packing.shape)
    assert (packing.latent(packed) == latent).all()
    assert (packing.memory(packed) == memory).all()


def test_sums_and_differences_are_inverse() -> None:
    reward = torch.randn(7, 3)
    for period in (1, 3, 7, 9):
        torch.testing.assert_close(differences(sums(reward, period), period), reward)
    assert sums(torch.ones(5, 1), 2).squeeze().tolist() == [1, 2, 1, 2, 1]
