"""Tournaments by the command, and what is printed of them."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from games.base import GameBatch, IntArray, MaskArray
from muzero import cli
from muzero.evaluation.tournament import Contender, Tournament, TournamentReport
from muzero.reports import standings as shown
from muzero.reports import terminal
from muzero.storage import runs
from muzero.view.console import DAMAGED, INTERRUPTED, OK, USAGE
from muzero.view.terminal import interval, signed
from selfplay.naming import PlayerName
from selfplay.players import Player
from selfplay.strength import tournament
from selfplay.strength.arena import Score
from selfplay.strength.tournament import Entrant, Meeting, standings

torch.set_num_threads(1)
GAME = "tic_tac_toe"
Captured = pytest.CaptureFixture[str]


def meeting(first: int, second: int, points: list[float]) -> Meeting:
    wins, draws = sum(p == 2 for p in points), sum(p == 1 for p in points)
    half = Score(wins, draws, len(points) - wins - draws)
    return Meeting(first, second, tuple(points), half, half, 2 * len(points), 7.0)


# In print.


def lines_of(count: int, width: int, meetings: list[Meeting] | None = None) -> list[str]:
    labels = [f"player-{number}" for number in range(count)]
    met = meetings or [meeting(i, j, [2.0, 1.0, 0.0]) for i in range(count) for j in range(i + 1, count)]
    return "\n".join(shown.crosstables(labels, met, standings(met, 0), width)).splitlines()


def test_a_crosstable_fits_the_terminal() -> None:
    whole = lines_of(4, 80)
    assert "2-2-2" in whole[1]
    assert whole[-1] == "(won-drawn-lost)"
    for width in (80, 120):
        parts = lines_of(30, width)
        assert max(map(len, parts)) <= width
        assert parts[-1] == "(score in percent)"
        assert sum(line.count(" 50") for line in parts) >= 30 * 29
        assert sum(line.startswith(" 1  player") for line in parts) > 1


def test_a_crosstable_leaves_open_what_was_not_played() -> None:
    found = "\n".join(lines_of(3, 80, [meeting(0, 1, [2.0]), meeting(0, 2, [0.0])]))
    assert found.count("?") == 2
    assert "2-0-0" in found
    assert "0-0-2" in found


def test_words_for_those_who_can_not_be_told_apart() -> None:
    labels = ["a", "b", "c"]
    even, won = [2.0, 0.0] * 10, [2.0] * 19 + [0.0]
    table = standings([meeting(0, 1, even), meeting(0, 2, won), meeting(1, 2, won)], 2)
    found = shown.neighbours(labels, table, 40)
    assert len(found) == 1
    assert found[0].startswith("a and b can't be told apart (difference 0, 95 % -")
    assert found[0].endswith("; no feasible number of games would)")
    apart = standings([meeting(0, 2, [2.0] * 5), meeting(1, 2, [2.0] * 5)], 2)
    assert shown.neighbours(labels, apart, 10) == [
        "a and b can't be told apart (difference 0, 95 % any; too few games to say)"]
    clear = standings([meeting(0, 2, won)], 2)
    assert shown.neighbours(labels, clear, 40) == ["Every player is clearly stronger than the next one."]


def test_intervals_in_words() -> None:
    inf = math.inf
    wanted = {(-5.4, 12.0): "-5 to +12", (3.0, inf): "+3 or more", (-inf, -7.0): "-7 or less", (-inf, inf): "any",
              (-0.3, 0.2): "0 to 0"}
    for (low, high), words in wanted.items():
        assert interval(low, high, signed) == words
    assert interval(-20.4, 213.4) == "-20 to 213"


# The command.


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with three snapshots, made of the shipped agent."""
    run = tmp_path_factory.mktemp("runs") / "mine"
    for step in (100, 200, 300):
        target = run / runs.SNAPSHOTS / f"step-{step:08d}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(runs.resolve(GAME), target)
    return run


def test_a_folder_called_random_plays_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "random").mkdir()
    monkeypatch.chdir(tmp_path)
    assert evaluate("random", "mcts:2", "--games", "2", "--opening-plies", "0") == OK


def evaluate(*words: str) -> int:
    return cli.main(["evaluate", "tournament", GAME, *words])


def test_a_tournament_in_print_and_in_json(run_folder: Path, tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "result.json"
    words = ["mcts:2", "random", "mcts:20", "--games", "12", "--seed", "4", "--json", str(target)]
    assert evaluate(*words) == OK
    said = capsys.readouterr()
    assert "3 players, 3 pairings of 12 games, 4 random opening moves" in said.out
    assert "virtual drawn game" in said.out.replace("\n", " ")
    assert [line for line in said.err.splitlines() if " of 3: " in line]
    assert max(map(len, said.out.splitlines())) <= 80
    content = json.loads(target.read_text())
    assert content["openings"] == {"seed": 4, "plies": 4}
    assert content["rating"]["anchor"] == "random"
    assert len(content["pairings"]) == 3
    assert all(len(one["points"]) == 6 and one["total"].keys() == {"wins", "draws", "losses"}
               for one in content["pairings"])
    assert {one["name"]: one["games"] for one in content["players"]} == {"mcts:2": 24, "random": 24, "mcts:20": 24}
    values = [one["elo"] for one in content["players"]]
    assert values == sorted(values, reverse=True)
    assert not content["interrupted"]
    assert {"versions", "hardware", "commit", "command"} <= content.keys()
    assert evaluate(*words) == OK
    assert capsys.readouterr().out == said.out
    again = json.loads(target.read_text())
    assert all(content[name] == again[name] for name in ("players", "pairings", "neighbours"))


def test_snapshots_play_by_the_name_of_their_folder(run_folder: Path, capsys: Captured) -> None:
    folder = str(run_folder / "snapshots")
    assert evaluate(f"{folder}@0", f"{folder}/step-00000200@2", "random", "--games", "2") == OK
    out = capsys.readouterr().out
    for name in ("step-00000100@0", "step-00000200@0", "step-00000300@0", "step-00000200@2", "random"):
        assert name in out
    assert "5 players" in out


def test_a_folder_without_snapshots_is_told(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "snapshots").mkdir()
    assert evaluate("random", str(tmp_path / "snapshots")) == USAGE
    assert "--train.snapshot-minutes" in capsys.readouterr().err


def test_an_unreadable_player_is_refused_or_left_out_before_anything_is_played(
    run_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(run_folder / "snapshots/step-00000100", broken)
    weights = bytearray((broken / "weights.safetensors").read_bytes())
    weights[-1] ^= 1  # of the right size: found when it is loaded, not before
    (broken / "weights.safetensors").write_bytes(weights)
    words = ["random", str(broken), "mcts:2", "nowhere/run", "--games", "2"]
    assert evaluate(*words) == USAGE
    assert "nowhere/run can't be loaded" in capsys.readouterr().err
    words.remove("nowhere/run")
    assert evaluate(*words) == DAMAGED
    said = capsys.readouterr()
    assert f"{broken} can't be loaded, so nothing was played" in said.err
    assert "against" not in said.out + said.err
    assert evaluate(*words, "--skip-unreadable") == OK
    said = capsys.readouterr()
    assert f"left out: {broken}" in said.err
    assert "2 players" in said.out
    assert evaluate("random", str(broken), "--skip-unreadable") == USAGE
    assert "expected at least 2 players, got 1, 1 left out" in capsys.readouterr().err


@pytest.mark.parametrize("nobody", ["", " "])
def test_an_empty_name_is_nobody(nobody: str, capsys: Captured) -> None:
    assert evaluate("random", nobody, "--skip-unreadable") == USAGE
    assert "expected random, mcts:N, perfect or an agent" in capsys.readouterr().err


def test_perfect_play_that_can_not_be_had_is_refused_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("games.solver.Solver.__init__.__defaults__", (1_000,))
    assert evaluate("random", "mcts:2", "perfect", "--games", "2") == USAGE
    said = capsys.readouterr()
    assert "tournament: perfect: " in said.err
    assert "too large for exact values" in said.err
    assert "against" not in said.out + said.err.replace("measure against", "")


@pytest.mark.parametrize("finished", [0, 2])
def test_ctrl_c_rates_what_has_been_played(
    finished: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    play = tournament.play

    def interrupted(*words: Any) -> Iterator[Meeting]:
        for number, met in enumerate(play(*words)):
            if number == finished:
                raise KeyboardInterrupt
            yield met

    monkeypatch.setattr("selfplay.strength.tournament.play", interrupted)
    target = tmp_path / "result.json"
    assert evaluate("mcts:3", "mcts:2", "random", "--games", "4", "--json", str(target)) == INTERRUPTED
    said = capsys.readouterr()
    assert f"interrupted after {finished} of 3 pairings" in said.err
    if finished:
        assert "3 players, 2 of 3 pairings" in said.out
        assert json.loads(target.read_text())["interrupted"]
    else:
        assert "too few games for ratings" in said.err
        assert said.out == ""
        assert not target.exists()


class Stubborn:
    """Always the lowest legal move: two of them play the same game every time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        return np.where(rows, games.legal().argmax(axis=1), 0).astype(np.int32)


def test_repeated_games_are_told(capsys: Captured) -> None:
    def make(name: str) -> Callable[[int], Player]:
        return lambda seed: Stubborn(name)

    met = list(tournament.play(GAME, [Entrant(name, make(name)) for name in "ab"], 10, 0, 0))
    assert met[0].different == 1
    contenders = [Contender(name, PlayerName("agent", name)) for name in "ab"]
    asked = Tournament(GAME, 10, 0)
    terminal.show(TournamentReport(asked, contenders, ["a", "b"], met, standings(met, 0), interrupted=False))
    assert "Only 1 of 10 games differ" in capsys.readouterr().out
