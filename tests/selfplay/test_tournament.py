"""Round robins: who meets whom, equal openings, the order of ratings, and what is printed of them."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from games.base import GameBatch, GameError, IntArray, MaskArray
from muzero import cli
from muzero.agent import load
from muzero.commands.players import short_names
from muzero.config import replace
from muzero.evaluation import standings as shown
from muzero.players import SearchPlayer, maker, parse, split_simulations
from muzero.storage import runs
from muzero.view.console import DAMAGED, INTERRUPTED, OK, USAGE
from muzero.view.terminal import interval, signed
from selfplay.players import Player
from selfplay.strength import tournament
from selfplay.strength.arena import Score, play_match, play_pairs
from selfplay.strength.tournament import Entrant, Meeting, Standings, standings

torch.set_num_threads(1)
GAME = "tic_tac_toe"
Captured = pytest.CaptureFixture[str]


def entrants(*texts: str) -> list[Entrant]:
    return [Entrant(text, maker(text, GAME)) for text in texts]


def meeting(first: int, second: int, points: list[float]) -> Meeting:
    wins, draws = sum(p == 2 for p in points), sum(p == 1 for p in points)
    half = Score(wins, draws, len(points) - wins - draws)
    return Meeting(first, second, tuple(points), half, half, 2 * len(points), 7.0)


@pytest.fixture(scope="module")
def ladder() -> Standings:
    meetings = list(tournament.play(GAME, entrants("mcts:2", "random", "mcts:20"), 20, seed=0, opening_plies=2))
    return standings(meetings, anchor=1)


# Playing.


def test_more_simulations_are_rated_higher(ladder: Standings) -> None:
    assert ladder.order[0] == 2
    best = ladder.rating(2)
    assert best.low > 0
    assert ladder.rating(1).value == 0
    assert ladder.difference(2, 0).value == pytest.approx(best.value - ladder.rating(0).value)
    assert [ladder.scores[number].games for number in range(3)] == [40, 40, 40]
    assert sum(ladder.scores[number].wins for number in range(3)) == sum(
        ladder.scores[number].losses for number in range(3))


def test_everybody_meets_everybody_with_the_same_openings(monkeypatch: pytest.MonkeyPatch) -> None:
    openings: list[list[tuple[int, ...]]] = []

    def noted(*words: Any) -> Any:
        played = play_pairs(*words)
        openings.append([moves[:4] for moves in played.moves])
        return played

    monkeypatch.setattr("selfplay.strength.tournament.play_pairs", noted)
    met = list(tournament.play(GAME, entrants("random", "mcts:2", "mcts:3", "perfect"), 6, 5, 4))
    assert [(one.first, one.second) for one in met] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert all(opening == openings[0] for opening in openings)
    assert openings[0][0::2] == openings[0][1::2], "both games of a pair open alike"
    assert len(set(openings[0])) == 3
    assert all(one.total.games == 6 and len(one.points) == 3 for one in met)
    again = list(tournament.play(GAME, entrants("random", "mcts:2", "mcts:3", "perfect"), 6, 5, 4))
    assert met == again
    assert met != list(tournament.play(GAME, entrants("random", "mcts:2", "mcts:3", "perfect"), 6, 6, 4))


def test_points_are_those_of_each_pair() -> None:
    first, second = entrants("mcts:9", "random")
    met, = tournament.play(GAME, [first, second], 10, 1, 3)
    total = met.total
    assert sum(met.points) == total.wins + total.draws / 2
    assert met.seen_by(1) == Score(total.losses, total.draws, total.wins)
    assert total.share > 0.5


def test_pairs_of_a_match_are_its_games() -> None:
    """`play_match` counts what `play_pairs` plays."""
    players = [parse(text, GAME, 3) for text in ("mcts:2", "random")]
    match = play_match(GAME, *players, 8, 3, 2)
    played = play_pairs(GAME, *(parse(text, GAME, 3) for text in ("mcts:2", "random")), 8, 3, 2)
    assert (played.moving_first, played.moving_second) == (match.moving_first, match.moving_second)
    assert match.different == len(set(played.moves))
    assert set(played.results) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(("game", "said"), [("catch", "one-player"), ("pig", "chance")])
def test_games_that_allow_no_tournament(game: str, said: str) -> None:
    with pytest.raises(GameError, match=said):
        next(tournament.play(game, entrants("random", "mcts:2"), 2, 0, 0))


def test_only_those_who_played_are_rated() -> None:
    table = standings([meeting(0, 2, [2.0, 1.0, 2.0])], anchor=1)
    assert (table.order, table.anchor) == ((0, 2), 0)
    assert table.rating(0).value == 0
    assert table.rating(2).value < 0
    with pytest.raises(ValueError, match="nobody"):
        standings([], anchor=0)


# Names.


def test_the_name_of_an_agent_tells_how_it_thinks() -> None:
    agent = load(GAME)
    assert SearchPlayer(agent, 5).name == f"{GAME} (5 simulations)"
    for noisy in ({"algorithm": "gumbel", "gumbel_scale": 0.5}, {"algorithm": "puct", "dirichlet_fraction": 0.5}):
        agent.config = replace(agent.config, {f"play.{name}": value for name, value in noisy.items()})
        assert SearchPlayer(agent, 5).name == f"{GAME} (5 simulations, noise 0.5)"
    assert SearchPlayer(agent, 0).name == f"{GAME} (no search)"
    agent.config = dataclasses.replace(agent.config, play=agent.config.play.with_noise(0.0))
    assert SearchPlayer(agent, 5).name == f"{GAME} (5 simulations)"


def test_an_agent_may_carry_its_simulations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert split_simulations("connect_four@200") == ("connect_four", 200)
    assert split_simulations("hex(board_size=5)@0") == ("hex(board_size=5)", 0)
    player = parse("tic_tac_toe@3", GAME, 0, simulations=50)
    assert isinstance(player, SearchPlayer)
    assert player.simulations == 3
    plain = parse(GAME, GAME, 0, simulations=50)
    assert isinstance(plain, SearchPlayer)
    assert plain.simulations == 50
    (tmp_path / "run@7").mkdir()
    monkeypatch.chdir(tmp_path)
    assert split_simulations("run@7") == ("run@7", None), "a folder of that name"
    for text in ("tic_tac_toe@", "tic_tac_toe@-1", "tic_tac_toe@x", "tic_tac_toe@9999999999", "tic_tac_toe@1.5"):
        with pytest.raises(GameError, match="expected AGENT@N with 0 to"):
            split_simulations(text)
    for text in ("tic_tac_toe@@3", "@3", "@@3"):
        with pytest.raises(GameError, match="a trained agent and one number"):
            split_simulations(text)
    for text in ("random@3", "perfect@3", "mcts@3"):
        with pytest.raises(GameError, match="trained agents"):
            parse(text, GAME, 0)


def test_a_maker_reads_an_agent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make = maker("tic_tac_toe@2", GAME)
    monkeypatch.setattr("muzero.agent.load", lambda *_, **__: pytest.fail("read again"))
    one, other = make(0), make(1)
    assert isinstance(one, SearchPlayer)
    assert isinstance(other, SearchPlayer)
    assert one.agent.model is other.agent.model
    assert one.agent is not other.agent, "the memory of a search ends with its meeting"


def test_names_are_as_short_as_they_can_be() -> None:
    texts = ["random", "connect_four", os.path.join("runs", "connect_four"), os.path.join("a", "snapshots", "step-1"),
             os.path.join("b", "snapshots", "step-1"), os.path.join("b", "snapshots", "step-2")]
    assert list(short_names(texts).values()) == [
        "random", "connect_four", "runs/connect_four", "a/snapshots/step-1", "b/snapshots/step-1", "step-2"]


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
    assert found[0].endswith("; no number of games in reach would)")
    apart = standings([meeting(0, 2, [2.0] * 5), meeting(1, 2, [2.0] * 5)], 2)
    assert shown.neighbours(labels, apart, 10) == [
        "a and b can't be told apart (difference 0, 95 % any; too little was played to say)"]
    clear = standings([meeting(0, 2, won)], 2)
    assert shown.neighbours(labels, clear, 40) == ["Every player is told apart from the next one."]


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
    return cli.main(["evaluate", GAME, "--tournament", *words])


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
    assert "nowhere/run can't play" in capsys.readouterr().err
    words.remove("nowhere/run")
    assert evaluate(*words) == DAMAGED
    said = capsys.readouterr()
    assert f"{broken} can't play, nothing was played" in said.err
    assert "against" not in said.out + said.err
    assert evaluate(*words, "--skip-unreadable") == OK
    said = capsys.readouterr()
    assert f"left out: {broken}" in said.err
    assert "2 players" in said.out
    assert evaluate("random", str(broken), "--skip-unreadable") == USAGE
    assert "at least 2 players wanted, got 1, 1 left out" in capsys.readouterr().err


@pytest.mark.parametrize("nobody", ["", " "])
def test_an_empty_name_is_nobody(nobody: str, capsys: Captured) -> None:
    assert evaluate("random", nobody, "--skip-unreadable") == USAGE
    assert "nobody is named" in capsys.readouterr().err


def test_perfect_play_that_can_not_be_had_is_refused_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("games.solver.Solver.__init__.__defaults__", (1_000,))
    assert evaluate("random", "mcts:2", "perfect", "--games", "2") == USAGE
    said = capsys.readouterr()
    assert "--tournament perfect: " in said.err
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
        assert "too little was played" in said.err
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
    shown.show(shown.Header(GAME, 10, 0, 0), ["a", "b"], met, standings(met, 0))
    assert "Only 1 of 10 games differ" in capsys.readouterr().out
