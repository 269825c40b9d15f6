"""An ensemble that reads random features: those of real positions, and those expected of imagined ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_ensemble import KINDS, N, batch, positions
from torch import Tensor

import games
from muzero.config import Config, ConfigError, EnsembleConfig, LearnerConfig, ModelConfig, SearchConfig
from muzero.learning.learner import Learner
from muzero.learning.loss import unroll
from muzero.learning.tensors import Tensors
from muzero.model.bootstrap import best_values, guessed, readings
from muzero.model.imagined import Imagined
from muzero.model.learned import LearnedModel
from muzero.model.member import FeatureMemberModel, member_model
from muzero.model.networks.ensemble import Ensemble
from muzero.model.networks.random_features import RandomFeatures
from muzero.model.prepared import PreparedModel
from muzero.search.planners import planner
from muzero.training.actors import for_selfplay, playing, selfplay_network
from selfplay.contract import check_planner
from selfplay.planner import Planner

torch.set_num_threads(1)
SIZE = 24
OWN = EnsembleConfig(members=N, features=SIZE)
LEARNER = LearnerConfig(unroll=2, own_targets=1.0, learning_rate=1e-2, warmup=0.0)


def made(kind: str = "mlp", **changes: Any) -> LearnedModel:
    torch.manual_seed(0)
    return LearnedModel(games.spec("tic_tac_toe"), ModelConfig(**{**KINDS[kind], "ensemble": OWN, **changes}), 1.0)


def parts(model: LearnedModel) -> tuple[Ensemble, RandomFeatures]:
    assert model.ensemble is not None
    assert model.ensemble.features is not None
    return model.ensemble, model.ensemble.features


def searching(model: LearnedModel, dtype: torch.dtype = torch.float32) -> FeatureMemberModel:
    found = member_model(PreparedModel(model.eval(), dtype), parts(model)[0])
    assert isinstance(found, FeatureMemberModel)
    return found


def unrolled(model: LearnedModel, data: Tensors) -> Imagined:
    return Imagined(unroll(model, data, 0.5).latents, data, model)


def test_different_observations_have_different_features() -> None:
    """Each of 400 cells has its own direction, as large as any other's; so have measurements of different sizes."""
    torch.manual_seed(0)
    features = RandomFeatures((1, 20, 20), (4,), 256)
    cells = features.seen(torch.eye(400).view(400, 1, 20, 20))
    assert cells.shape == (400, 256)
    alike = cells @ cells.T / 256
    assert alike.diagonal().numpy() == pytest.approx(1.0, abs=0.4)
    assert float((alike - alike.diagonal().diag()).abs().max()) < 0.4
    sizes = features.seen(torch.tensor([[0.5], [1.0], [1e6]]) * torch.ones(3, 400)).square().mean(1)
    assert 0.1 < sizes[0] < sizes[1] < sizes[2] < 4.0


@pytest.mark.parametrize("kind", KINDS)
def test_members_read_what_is_seen_and_what_is_expected(kind: str) -> None:
    model, data = made(kind).eval(), Tensors.of(batch(0))
    heads, features = parts(model)
    with torch.no_grad():
        imagined = unrolled(model, data)
        root, later = readings(heads, imagined)
        assert torch.equal(root, features.seen(data.obs))
        assert torch.equal(later, features.imagined(imagined.positions()[1]))
        said = heads.every(features.seen(imagined.seen(1)[0]))
        discount = torch.stack([
            model.discount(model.advance(model.encode(imagined.seen(1)[0]), torch.full((12,), action))[2])
            for action in range(9)], 1)
        wanted = (said.reward + discount[:, None] * said.value).amax(2)
        assert torch.allclose(best_values(heads, model, imagined.seen(1)[0], data.legal[:, 1]), wanted, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_projection_stays_and_its_guess_is_learned(kind: str) -> None:
    learner, data = Learner(made(kind), LEARNER), batch(0)
    features = parts(learner.model)[1]
    before, projection = float(missed(learner.model, data)), features.projection.clone()
    for _ in range(60):
        learner.step(data, 0.5)
    assert torch.equal(features.projection, projection)
    assert "ensemble.features.projection" in learner.model.state_dict()
    assert float(missed(learner.model, data)) < 0.6 * before


def missed(model: LearnedModel, data: Any) -> Tensor:
    with torch.no_grad():
        return guessed(parts(model)[1], unrolled(model, Tensors.of(data))).mean()


def test_past_the_end_nothing_is_expected_and_latents_get_no_gradient() -> None:
    model, given = made(), batch(0)
    given.in_game[:5, 1:] = False
    found = guessed(parts(model)[1], unrolled(model, Tensors.of(given)))
    assert found.shape == (2, 12)
    assert (found > 0).tolist() == given.in_game.T[1:].tolist()
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert parts(model)[1].guess.weight.grad is not None
    assert all(part.grad is None for net in (model.h, model.g) if net is not None for part in net.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_a_search_reads_the_same(kind: str, dtype: torch.dtype) -> None:
    model = made(kind, legality=True)
    searched, (game, obs, legal) = searching(model, dtype), positions(9)
    heads, features = parts(model)
    tolerance = 1e-4 if dtype == torch.float32 else 0.15
    root = searched.root(torch.from_numpy(searched.view(game, obs, np.arange(9))), torch.from_numpy(legal))
    plain = searched.network.root(torch.from_numpy(obs), torch.from_numpy(legal))
    latent, bare, action, rows = root.latent, plain.latent, torch.arange(9), torch.arange(9)
    read = features.seen(torch.from_numpy(obs))
    for _ in range(3):
        found, inner = searched.step(latent, action, *root.context), searched.network.step(bare, action)
        said = heads.said(read, action)
        assert torch.allclose(found.value, said.value[rows, rows % N], atol=tolerance)
        assert torch.allclose(found.reward, said.reward[rows, rows % N], atol=tolerance)
        assert torch.equal(found.logits, inner.logits)
        assert searched.legality is not None
        assert searched.network.legality is not None
        assert torch.equal(searched.legality(found.latent), searched.network.legality(inner.latent))
        latent, bare, action = found.latent, inner.latent, action.flip(0)
        read = features.imagined(model.bare(bare).float())


@pytest.mark.parametrize("algorithm", ["gumbel", "shooting"])
def test_plans_keep_the_contract_of_planners(algorithm: str) -> None:
    searched = searching(made())
    config = SearchConfig(algorithm=algorithm, simulations=12)  # type: ignore[arg-type]

    def make(size: int) -> Planner:
        return planner(searched, config, size)

    check_planner(make, "tic_tac_toe", size=2 * N)


def test_self_play_reads_features_where_there_are_some() -> None:
    config = Config(model=ModelConfig(**KINDS["mlp"], ensemble=OWN), learner=LEARNER)
    assert isinstance(playing(for_selfplay(selfplay_network(config), config)), FeatureMemberModel)


def test_features_that_nothing_would_teach_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.ensemble\.features 24: .*: set learner\.own_targets above 0"):
        Config(model=ModelConfig(ensemble=OWN))
