"""`--planner`: how an agent plans, in play, evaluate and train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muzero import cli
from muzero.storage import checkpoint, runs
from muzero.view.console import OK, USAGE

Captured = pytest.CaptureFixture[str]
PLANNERS = "expected gumbel, puct, policy, one_step, shooting or cem"


@pytest.mark.parametrize(("words", "said"), [
    (["evaluate", "match", "tic_tac_toe", "--planner", "cme"], "cem"),
    (["evaluate", "match", "tic_tac_toe", "--planner", "cem", "--noise", "0.3"],
     "noise: expected 0, as the planner cem has none to set, got 0.3"),
    (["evaluate", "match", "tic_tac_toe", "--player", "random", "--planner", "cem"],
     "--planner applies only to an agent"),
    (["play", "tic_tac_toe", "--planner", "nobody"], "--planner"),
])
def test_planners_that_are_not_there_are_refused(words: list[str], said: str, capsys: Captured) -> None:
    assert cli.main(words) == USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [
    (["inspect", "tic_tac_toe", "--planner", "polcy"], f"{PLANNERS}, got 'polcy'; did you mean 'policy'?"),
    (["play", "tic_tac_toe", "--planner", "None"], f"{PLANNERS}, got 'None'"),
    (["train", "tic_tac_toe", "--planner", "polcy"], f"{PLANNERS}, got 'polcy'; did you mean 'policy'?"),
    (["train", "tic_tac_toe", "--model.network", "resne"],
     "expected mlp, resnet or pixels, got 'resne'; did you mean 'resnet'?"),
    (["play", "tic_tac_toe", "--seat", "x"], "expected first or second, got 'x'"),
    (["bench", "search", "--algorithm", "gumbel", "pucct"],
     "expected gumbel or puct, got 'pucct'; did you mean 'puct'?"),
])
def test_a_name_that_is_none_is_answered_with_those_there_are(
    words: list[str], said: str, capsys: Captured
) -> None:
    assert cli.main(words) == USAGE
    shown = " ".join(capsys.readouterr().err.replace("│", "").replace("|", "").split())
    assert said in shown


@pytest.mark.parametrize("command", [["inspect"], ["evaluate", "match"], ["play"]])
def test_help_lists_the_planners(command: list[str], capsys: Captured) -> None:
    assert cli.main([*command, "--help"]) == OK
    shown = " ".join(capsys.readouterr().out.replace("│", "").replace("|", "").split())
    assert "gumbel, puct, policy, one_step, shooting or cem (default: the agent's)" in shown


def test_an_agent_is_measured_with_another_planner(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "found.json"
    assert cli.main(["evaluate", "match", "tic_tac_toe", "--planner", "shooting", "--simulations", "20", "--games", "4",
                     "--json", str(file)]) == OK
    assert "tic_tac_toe (shooting, up to 20 model calls)" in capsys.readouterr().out
    assert json.loads(file.read_text())["checkpoint"]["planner"] == "shooting"


def test_a_run_plays_and_is_played_with_the_planner_it_was_given(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert cli.main(["train", "tic_tac_toe", "--planner", "one_step", "--steps", "2", "--out", str(out),
                     "--train.actors", "0", "--selfplay.games", "8", "--replay.min-positions", "20",
                     "--learner.batch", "8", "--train.evaluate-minutes", "0",
                     "--search.one-step.temperature", "0.1"]) == OK
    newest = runs.newest(out)
    assert newest is not None
    config = checkpoint.read_config(newest)
    assert (config.search.algorithm, config.play.algorithm) == ("one_step", "one_step")
