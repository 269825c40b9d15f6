"""The control of a search: true answers in place of the model's, part by part, judged by exact values."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import tiny

from games.rules import Positions
from muzero.agent import Agent
from muzero.config import ConfigError
from muzero.model.build import build_model
from muzero.model.prepared import PreparedModel
from muzero.model.rules import RulesModel
from selfplay.strength.positions import PositionSet

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import search_control  # noqa: E402
from search_control import Control, parts_of, searched  # noqa: E402

torch.set_num_threads(1)
SHIPPED = ROOT / "benchmarks" / "data" / "connect_four_positions.csv"


@pytest.fixture(scope="module")
def agent() -> Agent:
    """Untrained: it knows no rule at all."""
    torch.manual_seed(0)
    config = tiny(play__algorithm="gumbel", play__gumbel_scale=0.0, play__simulations=40)
    return Agent(build_model(config), config, "tic_tac_toe", 0)


@pytest.fixture(scope="module")
def positions() -> PositionSet:
    return search_control.solved("tic_tac_toe", 40, 0)


def control(agent: Agent, truth: str) -> Control:
    return Control(PreparedModel(agent.model), "tic_tac_toe", agent.model.gamma, parts_of(truth))


def test_all_true_parts_together_are_the_search_of_the_rules(agent: Agent, positions: PositionSet) -> None:
    rules = RulesModel(PreparedModel(agent.model), Positions("tic_tac_toe"), agent.model.gamma)
    value, move = searched(control(agent, "rules"), agent.config.play, positions, 0)
    expected, chosen = searched(rules, agent.config.play, positions, 0)
    np.testing.assert_array_equal(move, chosen)
    np.testing.assert_allclose(value, expected, atol=1e-5)


def test_no_true_part_is_the_search_of_the_model(agent: Agent, positions: PositionSet) -> None:
    config = agent.config.play
    value, move = searched(control(agent, "none"), config, positions, 0)
    expected, chosen = searched(PreparedModel(agent.model), config, positions, 0)
    np.testing.assert_array_equal(move, chosen)
    np.testing.assert_allclose(value, expected, atol=1e-5)


def test_a_legality_head_masks_beside_the_truth_as_it_does_alone(positions: PositionSet) -> None:
    torch.manual_seed(0)
    config = tiny(model__legality=True, learner__legality_weight=0.1, play__algorithm="gumbel", play__gumbel_scale=0.0,
                  play__simulations=40, play__legality__least=0.5)
    agent = Agent(build_model(config), config, "tic_tac_toe", 0)
    value, move = searched(control(agent, "none"), config.play, positions, 0)
    expected, chosen = searched(PreparedModel(agent.model), config.play, positions, 0)
    np.testing.assert_array_equal(move, chosen)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    unmasked = search_control.changed(agent, [("legality.least", 0.0)])
    assert not np.allclose(searched(control(agent, "none"), unmasked.config.play, positions, 0)[0], value, atol=1e-3)


def test_the_rise_is_over_the_fewest_simulations_of_the_same_control() -> None:
    values = np.zeros((3, 9), np.float32)
    values[:, 8] = -1.0
    judge = search_control.Judge(PositionSet("tic_tac_toe", ((), (0,), (0, 3)), values))
    move = np.zeros(3, np.int32)

    def rise(truth: str, simulations: int, *errors: float) -> tuple[float, float]:
        row = judge.row(truth, simulations, np.array(errors, np.float32), move)
        return row.rise, row.rise_95

    assert rise("none", 0, 1.0, 1.0, 1.0) == (0.0, 0.0)
    assert rise("none", 16, 0.1, -0.1, 0.4) == (0.0, 0.0)
    assert rise("rules", 16, 0.0, 0.0, 0.0) == (0.0, 0.0)
    assert rise("none", 50, 0.2, 0.2, 0.5) == pytest.approx((0.1, 0.0), abs=1e-6)
    gained, half = rise("none", 200, 0.4, 0.1, 0.4)
    assert (gained, half) == pytest.approx((0.1, 1.96 * np.std([0.3, 0.0, 0.0]) / np.sqrt(3)), abs=1e-6)


def test_each_part_tells_its_own_truth() -> None:
    """Three in a row after 0 3 1 4: 2 wins, then nothing more is paid; 5 goes on; 0 is taken."""
    torch.manual_seed(0)
    config = tiny()
    agent = Agent(build_model(config), config, "tic_tac_toe", 0)
    history, legal = torch.tensor([[0, 3, 1, 4]]), torch.tensor([[False, False, True, False, False] + 4 * [True]])

    def told(truth: str, *moves: int) -> tuple[float, float, bool]:
        """Reward and discount of the last move, and whether move 2 isn't tried after it."""
        model = control(agent, truth)
        with torch.inference_mode():
            latent = model.root(history, legal).latent
            for move in moves:
                output = model.step(latent, torch.tensor([move]))
                latent = output.latent
        return float(output.reward), float(output.discount), bool(output.logits[0, 2] < -1e30)

    assert told("rewards", 2)[0] == 1.0
    assert told("rewards", 2, 5)[0] == 0.0
    assert told("ends", 2)[1] == 0.0
    assert told("ends", 5)[1] == -1.0
    assert told("rewards+ends", 5) == (0.0, -1.0, False)
    assert told("legality", 5, 2)[2]
    assert not told("legality", 5)[2]
    untold = told("none", 0)
    assert untold == told("rewards+ends+latents", 0), "after an illegal move the model alone speaks"


def test_a_line_of_one_move_is_worth_its_reward_and_the_value_there(agent: Agent, positions: PositionSet) -> None:
    config = dataclasses.replace(agent.config.play, simulations=200, max_depth=1)
    one = PositionSet("tic_tac_toe", ((0, 3, 1, 4),), np.zeros((1, 9), np.float32))
    model = control(agent, "rewards+ends")
    value, _ = searched(model, config, one, 0)
    assert len(model._latents) == 1 + 5, "each legal move once"
    assert value[0] == pytest.approx(1.0, abs=0.1), "the win is found"
    assert len(positions) == 40


def test_the_same_weights_are_read_in_another_way(agent: Agent) -> None:
    other = search_control.reread(agent, "likeliest")
    latent, output = torch.zeros(1, 8), torch.zeros(1, other.model.reward_units)
    output[0, -1] = 0.1
    assert other.model.outcome(latent, latent, output, torch.zeros(1, 0))[1].item() == 0.0
    assert agent.model.outcome(latent, latent, output, torch.zeros(1, 0))[1].item() == -1.0
    weights = zip(agent.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in weights)


def test_settings_of_the_search_can_be_others(agent: Agent) -> None:
    given = [search_control.assigned(text) for text in (
        "mirror=False", "c_scale=1", "scale=minmax", "shooting.horizon=7")]
    play = search_control.changed(agent, given).config.play
    assert (play.mirror, play.c_scale, play.scale, play.shooting.horizon) == (False, 1.0, "minmax", 7)
    with pytest.raises(argparse.ArgumentTypeError, match="expected NAME=VALUE, got 'mirror'"):
        search_control.assigned("mirror")
    with pytest.raises(ConfigError, match=r"play\.miror"):
        search_control.changed(agent, [("miror", True)])


def test_a_table_as_words_and_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "two.csv", tmp_path / "rows.json"
    file.write_text("\n".join(SHIPPED.read_text().splitlines()[:3]) + "\n")
    monkeypatch.setattr(sys, "argv", ["search_control.py", "connect_four", "--positions", str(file), "--truth", "none",
                                      "rules", "--simulations", "0", "4", "--set", "c_scale=0.2", "--json", str(out)])
    search_control.main()
    told = json.loads(out.read_text())
    assert [(row["truth"], row["simulations"]) for row in told["rows"]] == [
        ("none", 0), ("rules", 0), ("none", 4), ("rules", 4)]
    assert all(0.0 <= row["error"] <= 2.0 for row in told["rows"])
    assert "connect_four: 2 positions" in capsys.readouterr().out


@pytest.mark.parametrize(("made", "message"), [
    (lambda: parts_of("rewards+rules"), "--truth: expected none, rules or any of rewards, ends"),
    (lambda: search_control.solved("connect_four", 10, 0), "name a file with --positions"),
], ids=["parts", "game"])
def test_what_cannot_be_controlled_is_refused(made: object, message: str) -> None:
    with pytest.raises(SystemExit, match=message.replace("+", r"\+")):
        made()  # type: ignore[operator]
