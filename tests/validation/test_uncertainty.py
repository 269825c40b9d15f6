"""The benchmark of measures of uncertainty: exact figures, and the shipped agent on a few solved positions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.uncertainty import MEASURES, auroc, children, deviation, reached, rows, seen
from muzero.agent import Agent, load
from muzero.model import scalar
from selfplay.strength.positions import PositionSet, read

FILE = Path(__file__).parents[2] / "benchmarks" / "data" / "connect_four_positions.csv"


@pytest.fixture(scope="module")
def agent() -> Agent:
    return load("connect_four")


@pytest.fixture(scope="module")
def positions() -> PositionSet:
    every = read(FILE, "connect_four")
    return PositionSet(every.game, every.histories[:3], every.scores[:3], every.timed)


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
