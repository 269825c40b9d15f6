"""The modes of `muzero evaluate`: help on a screen, bounds of their own, and the spellings from before there were
modes."""

from __future__ import annotations

import io
import json
import typing
from pathlib import Path
from typing import Any

import pytest

from muzero import cli
from muzero.commands import evaluate
from muzero.commands.arguments import parse
from muzero.commands.bounds import bounds
from muzero.commands.evaluate import MODES, old_spellings
from muzero.view.console import OK, USAGE

Captured = pytest.CaptureFixture[str]
OLD = {
    "tic_tac_toe": "match tic_tac_toe",
    "tic_tac_toe@3 --against mcts:2 --games 4": "match tic_tac_toe@3 --against mcts:2 --games 4",
    "connect_four --player mcts:9 --against mcts:2 --opening-plies 0":
        "match connect_four --against mcts:2 --opening-plies 0 --player mcts:9",
    "tic_tac_toe --simulations 0 --noise 0.5 --seed 3 --max-moves 5 --json x.json":
        "match tic_tac_toe --simulations 0 --max-moves 5 --noise 0.5 --seed 3 --json x.json",
    "tic_tac_toe --every-position --simulations 25 100": "positions tic_tac_toe --simulations 25 100",
    "tic_tac_toe --positions README.md": "positions tic_tac_toe --file README.md",
    "catch --player random --games 11": "episodes catch --episodes 11 --player random",
    "catch --player random": "episodes catch --player random",
    "atari/pong --episodes 9 --video a.mp4": "episodes atari/pong --episodes 9 --video a.mp4",
    "atari/pong --video a.gif --max-moves 7": "video atari/pong a.gif --max-moves 7",
    "tic_tac_toe --tournament random mcts:2 --games 4": "tournament tic_tac_toe random mcts:2 --games 4",
    "tic_tac_toe --skip-unreadable --tournament random mcts --opening-plies 0 --simulations 2":
        "tournament tic_tac_toe random mcts --opening-plies 0 --simulations 2 --skip-unreadable",
    "--json out.json --suite a b --seed 1": "suite a b --seed 1 --json out.json",
}


@pytest.mark.parametrize(("old", "new"), OLD.items())
def test_an_old_spelling_means_what_the_new_one_says(old: str, new: str) -> None:
    name, arguments = old_spellings.read(old.split())
    words = old_spellings.new_words(name, arguments)
    assert words == ["evaluate", *new.split()]
    assert parse(MODES[name].arguments, words[2:], "evaluate", []) == arguments


@pytest.mark.parametrize("new", OLD.values())
def test_a_new_spelling_means_what_its_old_one_did(new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    name = new.split()[0]
    mode = MODES[name]
    caught = evaluate.Mode(mode.about, mode.arguments, lambda arguments, argv: asked.append(arguments) or OK, ())
    monkeypatch.setitem(evaluate.MODES, name, caught)
    for words in (new, next(old for old, after in OLD.items() if after == new)):
        assert cli.main(["evaluate", *words.split()]) == OK
    assert asked[0] == asked[1]


def test_the_new_spelling_is_said_to_a_person_alone(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """What scripts read of either stream is as it was."""
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    words = ["evaluate", "tic_tac_toe", "--player", "random", "--games", "2"]
    assert cli.main(words) == OK
    piped = capsys.readouterr()
    assert "spelling" not in piped.out + piped.err
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    assert cli.main(words) == OK
    assert capsys.readouterr().out == piped.out
    assert screen.getvalue().count("muzero evaluate match tic_tac_toe --games 2 --player random") == 1


@pytest.mark.parametrize("old", ["--against", "--tournament"])
def test_both_spellings_measure_the_same(old: str, tmp_path: Path, capsys: Captured) -> None:
    """On both streams and in JSON, except for the command and its time."""
    rest = {"--against": (["--against", "mcts:2", "--games", "4"], ["match", "tic_tac_toe", "--against", "mcts:2",
                                                                    "--games", "4"]),
            "--tournament": (["--tournament", "random", "mcts:2", "--games", "2"],
                             ["tournament", "tic_tac_toe", "random", "mcts:2", "--games", "2"])}[old]
    told = []
    for number, words in enumerate((["tic_tac_toe", *rest[0]], rest[1])):
        target = tmp_path / f"{number}.json"
        assert cli.main(["evaluate", *words, "--json", str(target)]) == OK
        content = json.loads(target.read_text())
        assert content.pop("command") == ["muzero", "evaluate", *words, "--json", str(target)]
        assert content.pop("time")
        told.append((list(content.items()), capsys.readouterr().out))
    assert told[0] == told[1]


def test_the_list_of_modes_fits_a_screen(capsys: Captured) -> None:
    assert cli.main(["evaluate", "--help"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert all(any(line.startswith(f"  {name} ") for line in lines) for name in MODES)
    assert cli.main(["evaluate"]) == USAGE


@pytest.mark.parametrize(("words", "mode", "option"), [
    ("tic_tac_toe", "match", "--against"), ("catch", "episodes", "--episodes"), ("--suite", "suite", "--json"),
    ("tic_tac_toe --tournament random", "tournament", "--skip-unreadable"),
    ("tic_tac_toe --every-position", "positions", "--player"), ("atari/pong --video=x.mp4", "video", "--max-moves"),
])
def test_help_in_an_old_spelling_has_the_options_of_its_mode(
    words: str, mode: str, option: str, capsys: Captured
) -> None:
    assert cli.main(["evaluate", *words.split(), "--help"]) == OK
    out = capsys.readouterr().out
    assert out.startswith(f"usage: muzero evaluate {mode} ")
    assert option in out


def test_a_mistyped_option_in_an_old_spelling_is_explained(capsys: Captured) -> None:
    assert cli.main(["evaluate", "tic_tac_toe", "--skip-unread"]) == USAGE
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "--skip-unreadable Skip agents that can't be read" in said


@pytest.mark.parametrize("name", MODES)
def test_the_help_of_a_mode_fits_a_screen(name: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["evaluate", name, "--help"]) == OK
    out = capsys.readouterr().out
    assert len(out.splitlines()) <= 40
    head, _, examples = out.rpartition("examples:\n")
    assert max(map(len, head.splitlines())) <= 80
    assert all(line.startswith("  muzero evaluate ") for line in examples.splitlines())
    unwrapped = "".join(out.replace("│", "").replace("|", "").split())
    assert "(default:None)" not in unwrapped
    assert "(default:)" not in unwrapped


@pytest.mark.parametrize("name", MODES)
def test_an_example_can_be_typed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in MODES[name].examples:
        words = line.partition("   #")[0].split()
        assert words[:2] == ["muzero", "evaluate"]
        assert parse(MODES[words[2]].arguments, words[3:], "evaluate", [])


@pytest.mark.parametrize(("words", "said"), [
    ("match tic_tac_toe --games 3", "--games: expected an even number, to split between both seats, got 3"),
    ("match tic_tac_toe --games 0", "--games: expected 2 to 1,048,576, got 0"),
    ("match catch --player random",
     "expected a two-player game, got catch, which has one player; measure it by muzero evaluate episodes"),
    ("match tic_tac_toe --noise 2", "--noise: expected 0 to 1, the fraction of Dirichlet noise in the prior, got 2"),
    ("match tic_tac_toe --noise nan", "--noise: expected 0 to 1,000,000, got nan"),
    ("match tic_tac_toe --noise 0 --player random", "--noise applies only to an agent: leave out --player"),
    ("match tic_tac_toe --seed -1", "--seed: expected 0 to 9,223,372,036,854,775,807, got -1"),
    ("match tic_tac_toe --simulations 1 2", "2"),
    ("match tic_tac_toe --file x", "--file"),
    ("episodes tic_tac_toe", "which has two players; measure it by muzero evaluate match tic_tac_toe"),
    ("episodes catch --player random --episodes 0", "--episodes: expected 1 to"),
    ("episodes catch --player random --video a.mp4", "--video applies only to an agent: leave out --player"),
    ("episodes catch --video a.avi", "expected a name that ends in .mp4 or .gif"),
    ("positions tic_tac_toe --file nothing.csv", "nothing.csv is not there"),
    ("positions tic_tac_toe --simulations 1 -2", "--simulations: expected 0 to"),
    ("video atari/pong a.avi", "expected a name that ends in .mp4 or .gif"),
    ("video atari/pong", "FILE"),
    ("video atari/pong a.mp4 --player random", "--player"),
    ("tournament tic_tac_toe", "expected at least 2 players, got 0"),
    ("tournament tic_tac_toe random random", "random is named twice"),
    ("tournament tic_tac_toe random mcts:2 --noise 0", "--noise"),
    ("tournament tic_tac_toe random mcts:2 --games 1e9", "--games: expected 2 to"),
    ("suite", "expected folders of measured runs, as in muzero evaluate suite checkpoints/runs/atari_*"),
    ("tournement tic_tac_toe random", "did you mean 'tournament'?"),
    ("mach tic_tac_toe", "did you mean 'match'?"),
    ("tic_tac_toe --video a.mp4 --games 2", "--games doesn't go with --video"),
    ("tic_tac_toe --tournament random mcts:2 --episodes 3", "--episodes doesn't go with --tournament"),
])
def test_mistakes_name_the_mend(words: str, said: str, capsys: Captured) -> None:
    assert cli.main(["evaluate", *words.split()]) == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_every_number_has_bounds() -> None:
    names = {name for mode in MODES.values() for name in _numbers(mode.arguments)}
    assert {"games", "episodes", "noise", "seed"} <= names
    assert all(bounds(name) is not None for name in names)


def _numbers(arguments: type[Any]) -> list[str]:
    """Options of a mode that are numbers."""
    hints = typing.get_type_hints(arguments)
    own = [name for name, kind in hints.items() if kind in (int, float, int | None, float | None)]
    return [*own, *(_numbers(hints["common"]) if "common" in hints else [])]


def test_a_game_that_sounds_like_a_mode_is_a_game(capsys: Captured) -> None:
    assert cli.main(["evaluate", "catch", "--player", "random", "--games", "6"]) == OK
    assert "mean return" in capsys.readouterr().out


def test_a_gumbel_agent_takes_more_noise_than_a_share(tmp_path: Path, capsys: Captured) -> None:
    run = tmp_path / "run"
    assert cli.main(["train", "catch", "--out", str(run), "--steps", "1", "--train.actors", "0", "--selfplay.games",
                     "8", "--search.simulations", "2", "--replay.min-positions", "64", "--learner.batch", "16",
                     "--train.evaluate-minutes", "0", "--train.device", "cpu", "--play.algorithm", "gumbel"]) == OK
    assert cli.main(["evaluate", "episodes", str(run), "--episodes", "5", "--noise", "2"]) == OK
    assert "noise 2" in capsys.readouterr().out
