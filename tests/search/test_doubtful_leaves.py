"""The benchmark of uncertainty in search: whose leaf a rule lowers, and that a plain rule changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from solved_positions import first
from torch import Tensor

import games
from benchmarks.doubtful_leaves import (
    PLAIN,
    RULES,
    Doubtful,
    Leaf,
    Line,
    by_depth,
    compared,
    parent,
    penalty,
    rows,
    rule,
    shrink,
)
from benchmarks.uncertainty import deviation
from muzero.agent import Agent, load
from muzero.model.prepared import PreparedModel
from selfplay.strength.positions import PositionSet, place


@pytest.fixture(scope="module")
def agent() -> Agent:
    return load("connect_four")


@pytest.fixture(scope="module")
def positions() -> PositionSet:
    return first(8)


def leaf(moves: int, value: float, doubt: float = 0.25) -> tuple[Leaf, Tensor]:
    """A leaf so many moves on, of alternate players, after nodes that all say 0.5 for the root; and its doubt."""
    line = Line.begun(torch.tensor([0.5]))
    for move in range(moves - 1):
        line = line.extended(torch.zeros(1), torch.tensor([-1.0]), torch.tensor([0.5 * (-1) ** (move + 1)]))
    after = line.extended(torch.zeros(1), torch.tensor([-1.0]), torch.tensor([value]))
    return Leaf(line, after, torch.tensor([value]), torch.zeros(1, 3), torch.zeros(1, 1)), torch.tensor([doubt])


def test_a_line_sums_rewards_and_turns_values_to_the_root() -> None:
    line = Line.begun(torch.tensor([0.5])).extended(torch.tensor([0.25]), torch.tensor([-1.0]), torch.tensor([0.5]))
    assert line.said.tolist() == [-0.25], "0.25 paid to the root's player, then 0.5 for the other one"
    line = line.extended(torch.tensor([0.5]), torch.tensor([-1.0]), torch.tensor([0.75]))
    assert line.said.tolist() == [0.5], "0.25 - 0.5 + 0.75"
    assert line.mean.tolist() == pytest.approx([0.25])
    assert line.spread.tolist() == pytest.approx([np.std([0.5, -0.25, 0.5])])


@pytest.mark.parametrize("moves", [1, 2, 3, 4])
def test_a_penalty_lowers_the_leaf_for_the_player_at_the_root(moves: int) -> None:
    sign = (-1) ** moves
    assert penalty(*leaf(moves, sign * 0.5)).tolist() == [0.25]
    assert penalty(*leaf(moves, sign * -0.5)).tolist() == [-0.75]


@pytest.mark.parametrize("moves", [1, 2, 3, 4])
def test_the_other_rules_are_alike_for_both_players(moves: int) -> None:
    value = -0.5 * (-1) ** moves
    assert shrink(*leaf(moves, value, 1.0)).tolist() == [-0.25]
    assert parent(*leaf(moves, value, 1.0)).tolist() == [0.0], "half of 0.5"
    assert RULES["line"](*leaf(moves, value, 3.0)).tolist() == [0.25]


def test_a_value_deeper_than_trusted_is_mixed_with_the_one_before(agent: Agent) -> None:
    leaves = [leaf(moves, -0.5 * (-1) ** moves)[0] for moves in (1, 2, 3)]
    assert [by_depth(3, 0.25)(agent.model, each).item() for each in leaves] == [-0.5, -0.5, -0.25]


@torch.inference_mode()
def test_what_the_search_is_told(agent: Agent, positions: PositionSet) -> None:
    """One player's leaves rise and the other's fall by the deviation, as far as the support reaches."""
    batch_obs, legal = observed(positions)
    inner = PreparedModel(agent.model)
    plain, cautious = Doubtful(inner, rule(PLAIN)), Doubtful(inner, rule("penalty:deviation:0.1"))
    latents = [model.root(batch_obs, legal).latent for model in (plain, cautious)]
    for sign in (1.0, -1.0, 1.0):
        said, told = (model.step(latent, legal.float().argmax(1))
                      for model, latent in zip((plain, cautious), latents, strict=True))
        doubt = deviation(agent.model, agent.model.predict(plain.packing.latent(said.latent))[1])
        going = said.discount.abs() > 0.9
        torch.testing.assert_close(told.value[going], (said.value + sign * 0.1 * doubt).clamp(-1, 1)[going],
                                   atol=0.02, rtol=0.0)
        assert going.any()
        assert doubt[going].max() > 0.05
        latents = [said.latent, told.latent]


def observed(positions: PositionSet) -> tuple[Tensor, Tensor]:
    """Observations [P, *O] and legal moves [P, A]."""
    batch = games.make(positions.game, len(positions))
    place(batch, positions.histories)
    return torch.from_numpy(batch.observe().copy()), torch.from_numpy(batch.legal().copy())


def test_pairs_are_compared(positions: PositionSet) -> None:
    plain = np.array([True, True, False, False, True, True, True, True])
    row = compared("shrink", 4, positions, np.zeros(8, np.float32), ~plain, plain)
    critical = positions.critical
    assert (row.better, row.worse) == (int((~plain & critical).sum()), int((plain & critical).sum()))
    assert row.gain == pytest.approx(100 * (row.better - row.worse) / critical.sum())


def test_the_plain_search_comes_first_and_no_doubt_changes_nothing(agent: Agent, positions: PositionSet) -> None:
    found = list(rows(agent, positions, ["penalty:step:0", "line:spread^2:1"], [16]))
    assert [row.rule for row in found] == [PLAIN, "penalty:step:0", "line:spread^2:1"]
    assert found[0].error == pytest.approx(found[1].error, abs=1e-6)
    assert (found[1].better, found[1].worse) == (0, 0)
    assert found[2].error != pytest.approx(found[0].error, abs=1e-6)


@pytest.mark.parametrize("name", ["caution", "penalty:luck:1", "penalty:step", "depth:deep:1", "plain:step:1"])
def test_rules_that_do_not_exist(name: str) -> None:
    with pytest.raises(SystemExit, match="expected plain, depth:MOVES:SHARE or one of penalty, shrink"):
        rule(name)
