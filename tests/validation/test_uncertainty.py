"""The benchmark of measures of uncertainty: exact figures, and the shipped agent on a few solved positions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from solved_positions import first

import games
from benchmarks.frozen_ensemble import own_games, trained, with_ensemble
from benchmarks.uncertainty import MEASURES, auroc, children, deviation, named, reached, rows, seen, spreads
from muzero.agent import Agent, load
from muzero.config import EnsembleConfig
from muzero.model import scalar
from selfplay.strength.positions import PositionSet, place


@pytest.fixture(scope="module")
def agent() -> Agent:
    return load("connect_four")


@pytest.fixture(scope="module")
def positions() -> PositionSet:
    return first(3)


def test_area_under_the_curve() -> None:
    wrong = np.array([False, False, True, True])
    assert auroc(np.array([1.0, 2.0, 3.0, 4.0]), wrong) == 1.0
    assert auroc(np.array([4.0, 3.0, 2.0, 1.0]), wrong) == 0.0
    assert auroc(np.array([1.0, 1.0, 1.0, 1.0]), wrong) == 0.5
    assert auroc(np.array([1.0, 3.0, 2.0, 4.0]), wrong) == 0.75
    assert math.isnan(auroc(np.ones(4), ~wrong & wrong))


def test_deviation_of_a_categorical_value(agent: Agent) -> None:
    sure, torn = torch.tensor([[-30.0, -30.0, 30.0], [30.0, -30.0, 30.0]])
    assert deviation(agent.model, torch.stack((sure, torn))).tolist() == pytest.approx([0.0, 1.0], abs=1e-6)


def test_the_truth_is_that_of_the_player_to_move_after_the_move(positions: PositionSet) -> None:
    histories, truth = children(positions, 0)
    scored = {(*history, action): value for history, values in zip(positions.histories, positions.values, strict=True)
              for action, value in enumerate(values)}
    assert [-scored[history] for history in histories] == truth.tolist()
    assert len(histories) > len(positions)


@torch.inference_mode()
def test_imagined_and_mirrored_positions_are_the_same_ones(agent: Agent, positions: PositionSet) -> None:
    histories, _ = children(positions, 2)
    real = reached(agent.model, positions.game, histories, 0, mirrored=False)
    assert torch.equal(real, agent.model.encode(seen(positions.game, histories)))
    for depth in (1, 2):
        said = [scalar.decode(agent.model.predict(latent)[1], agent.config.model.value)
                for latent in (real, reached(agent.model, positions.game, histories, depth, mirrored=False))]
        assert (said[0] - said[1]).abs().mean() < 0.1 < said[0].std()
    image = reached(agent.model, positions.game, histories, 0, mirrored=True)
    assert torch.equal(image, agent.model.encode(seen(positions.game, histories).flip(-1)))


def test_a_row_for_each_depth_and_measure(agent: Agent, positions: PositionSet) -> None:
    found = list(rows(agent.model, positions, [0, 2]))
    assert [(row.depth, row.measure) for row in found] == [(depth, name) for depth in (0, 2) for name in MEASURES]
    assert {row.positions for row in found} == {len(children(positions, 2)[0])}
    assert found[MEASURES.index("undecided")].auroc > 0.5, "the value's size tells most"


# --- ensembles made afterwards ----------------------------------------------------------------------------------------


def test_only_the_heads_learn_and_agree_more_where_they_have_learned() -> None:
    agent, own = load("tic_tac_toe"), [EnsembleConfig(members=4), EnsembleConfig(members=2, prior_scale=1.0)]
    replay = own_games(agent, 400, 0)
    obs = torch.from_numpy(replay.rings["obs"][:200].copy())
    action = torch.from_numpy(replay.rings["action"][:200].astype(np.int64))
    for settings, model in zip(own, trained(agent, replay, own, 150, 128, 0), strict=True):
        before = with_ensemble(agent, settings, 0).state_dict()
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert moved == {name for name in before if name.startswith("ensemble.trained.")}
        spread = []
        for one in (with_ensemble(agent, settings, 0), model):
            assert one.ensemble is not None
            spread.append(float(one.ensemble.outputs(one.encode(obs), action)[:, :, 0].detach().std(1).mean()))
        assert spread[1] < 0.6 * spread[0]


@torch.inference_mode()
def test_the_spread_of_members(agent: Agent, positions: PositionSet) -> None:
    """Of the last move, said of the real position before it; and of the best replies to it."""
    model, (histories, _) = with_ensemble(agent, EnsembleConfig(members=3), 0), children(positions, 1)
    heads, last = model.ensemble, torch.tensor([history[-1] for history in histories])
    assert heads is not None
    every = heads.every(model.encode(seen(positions.game, [history[:-1] for history in histories]))).value
    found = [spreads(model, positions.game, histories, depth) for depth in (0, 1)]
    of_last = every[torch.arange(len(last)), :, last].std(1, correction=0)
    assert torch.allclose(found[0][:, 0], of_last, atol=1e-5)
    assert torch.allclose(found[1][:, 0], of_last, atol=1e-5)
    batch = games.make(positions.game, len(histories))
    place(batch, histories)
    legal, real = torch.from_numpy(batch.legal()), model.encode(torch.from_numpy(batch.observe()))
    best = torch.full((len(real), 3), -torch.inf)
    for action in range(7):
        made = torch.full((len(real),), action)
        said = heads.said(real, made)
        worth = said.reward + model.step(real, made).discount[:, None] * said.value
        best = torch.where(legal[:, action, None], torch.maximum(best, worth), best)
    assert torch.allclose(found[0][:, 1], best.std(1, correction=0), atol=1e-5)


def test_an_ensemble_adds_its_measures(agent: Agent, positions: PositionSet) -> None:
    ensembles = [with_ensemble(agent, EnsembleConfig(members=members), 0) for members in (2, 3)]
    found = list(rows(agent.model, positions, [1], ensembles))
    assert [row.measure for row in found] == named(ensembles)
    assert named(ensembles) == [*MEASURES, "last move of 2", "best reply of 2", "last move of 3", "best reply of 3"]
    assert [row.spearman for row in rows(agent.model, positions, [1])] == [row.spearman for row in found[:6]]
