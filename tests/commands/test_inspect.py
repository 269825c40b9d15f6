"""`muzero inspect`: positions by their moves, and what the network and the search say there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muzero import cli
from muzero.commands.inspect.moves import reach
from muzero.commands.inspect.position import KINDS
from muzero.errors import FAILURE, OK, USAGE
from muzero.reports.inspection.drawn import FORMS

Captured = pytest.CaptureFixture[str]
AGENT = "tic_tac_toe@9"


def inspect(*words: str) -> int:
    return cli.main(["inspect", *words])


def test_network_and_search_stand_side_by_side(capsys: Captured, tmp_path: Path) -> None:
    """X wins at once at c1: the search sees it, and says so in the same numbers as JSON."""
    file = tmp_path / "found.json"
    assert inspect(AGENT, "--moves", "a1 a2 b1 b2", "--json", str(file)) == OK
    said, found = capsys.readouterr().out, json.loads(file.read_text())
    assert "tic_tac_toe, after a1 a2 b1 b2, X to move" in said
    assert max(map(len, said.splitlines())) <= 80
    assert (found["plays"]["name"], found["moves"]) == ("c1", ["a1", "a2", "b1", "b2"])
    best = found["candidates"][0]
    assert best["q"] == pytest.approx(1, abs=0.05)
    assert f"{best['prior']:.1%}" in said
    assert f"{found['value']['network']:+.3f}" in said


@pytest.mark.parametrize(("moves", "said"), [
    ("a1 a1", "--moves: a1 is taken; legal: b1"),
    ("a1 z9", "--moves: no move 'z9' here"),
    ("a1 a2 b1 b2 c1", "--moves: the game is over after a1 a2 b1 b2 c1: leave out the last move"),
    ("a1 a2 b1 b2 c1 c2", "--moves: the game is over before 'c2'"),
])
def test_moves_that_lead_nowhere_are_told(moves: str, said: str, capsys: Captured) -> None:
    assert inspect(AGENT, "--moves", moves) == USAGE
    assert said in capsys.readouterr().err


def test_pictures_pages_and_imagination_are_made_in_one_go(capsys: Captured, tmp_path: Path) -> None:
    files = [tmp_path / f"tree{ending}" for ending in FORMS]
    assert inspect(AGENT, "--moves", "b2", "--imagine", "pv", "--out", *map(str, files)) == OK
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"wrote {file}" for file in files]
    assert "The search tree: 10 nodes" in said.out
    assert "ply 1: O plays" in said.out
    assert [file.read_text()[:9] for file in files] == ["<!DOCTYPE", "<svg xmln", "digraph t"]
    assert set(KINDS) == set(FORMS)


def test_moves_that_the_rules_forbid_can_be_imagined(capsys: Captured) -> None:
    assert inspect(AGENT, "--moves", "b2", "--imagine", "a1 b2 #3") == OK
    said = capsys.readouterr().out
    assert "ply 2: X plays b2\n✗ no real position: the rules don't allow it" in said
    assert "ply 3: O plays a2" in said


def test_an_imagined_line_ends_with_the_game(capsys: Captured) -> None:
    """The search goes on behind the end, in latents that mean nothing."""
    assert inspect("tic_tac_toe@25", "--moves", "a1 a2 b1 b2", "--imagine", "pv") == OK
    said = capsys.readouterr().out
    assert "ply 1: X plays c1" in said
    assert "over" in said
    assert "ply 2" not in said


@pytest.mark.parametrize(("words", "said"), [
    ("--depth 0", "--depth: expected 1 to 10, got 0"),
    ("--children 101", "--children: expected 1 to 100, got 101"),
    ("--nodes 0", "--nodes: expected 1 to 100,000, got 0"),
    ("--simulations 1000001", "--simulations: expected 0 to 1,000,000, got 1000001"),
    ("--out tree.pdf", "--out tree.pdf: expected a name that ends in .html, .svg or .dot"),
    ("--out", "--out: expected a name that ends in .html, .svg or .dot, got none"),
    ("--out nowhere/tree.svg", "--out nowhere/tree.svg: can't be written there"),
    ("--json nowhere/found.json", "--json nowhere/found.json: can't be written there"),
    ("--out tree.svg --simulations 0", "--out tree.svg: no tree: without search (0 simulations) there is none"),
    ("--out tree.svg --planner policy", "--out tree.svg: no tree: the planner policy searches none"),
    ("--imagine z9", "--imagine: no move 'z9' here; legal: a1"),
    ("--imagine #9", "--imagine: no move '#9' here; legal: a1"),
])
def test_what_can_not_be_shown_is_refused(
    words: str, said: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert inspect("tic_tac_toe", *words.split()) == USAGE
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_does_not_fit_is_refused(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muzero.inspection.position.free_memory", lambda: 2**20)
    assert inspect("tic_tac_toe", "--simulations", "100000") == FAILURE
    said = capsys.readouterr().err
    assert "not enough memory (100,000 simulations need" in said
    assert "fit); lower --simulations" in said


def test_games_of_pixels_have_a_tree_too(capsys: Captured) -> None:
    assert inspect("atari/pong@4", "--moves", "noop fire", "--imagine", "noop right") == OK
    said = capsys.readouterr().out
    assert "atari/pong, after noop fire" in said
    assert "The search tree: 5 nodes" in said
    assert "ply 2: right" in said
    assert "imagined board: the model has no decoder" in said


def test_names_of_several_words_need_no_bars() -> None:
    game = "games.examples.subtraction:Subtraction"
    assert reach(game, "take 2 take 1", 0).moves == reach(game, "take 2 | take 1", 0).moves == ("take 2", "take 1")


def test_help_fits_a_screen(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert inspect("--help") == OK
    said = capsys.readouterr().out.splitlines()
    assert "examples:" in said
    assert len(said) <= 40
    assert max(len(line.rstrip()) for line in said) <= 80
