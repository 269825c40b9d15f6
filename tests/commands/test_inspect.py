"""`muzero inspect`: positions by their moves, and what the network and the search say there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muzero import cli
from muzero.errors import OK, USAGE

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
