"""A game session in values: positions, thoughts, results and undo, without any terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripted import Scripted

from games.base import GameError
from muzero.play.session import Result, Session, Undone
from muzero.play.thoughts import Line


def test_a_position_tells_what_is_new() -> None:
    session = Session(Scripted("tic_tac_toe"))
    start = session.position()
    assert start.board is not None
    assert (start.added, start.moves, start.returns) == (frozenset(), 0, (0.0, 0.0))
    assert list(session.legal_moves) == ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]
    session.play(session.legal_moves["b2"])
    after = session.position()
    assert after.added == {(1, 1)}
    assert after.board is not None
    assert after.board.owner((1, 1)) == 0
    assert (session.last_move, after.moves) == ("b2", 1)
    assert "b2" not in session.legal_moves


def test_a_game_without_a_drawing_is_its_own_text() -> None:
    position = Session(Scripted("catch")).position()
    assert position.board is None
    assert position.text.strip()


def test_possible_moves_are_cells_where_the_game_is_shown_with_them() -> None:
    board = Session(Scripted("othello")).position()
    assert len(board.possible) == 4
    assert not Session(Scripted("hex(board_size=4)")).position().possible


def test_a_thought_is_of_the_position_before_the_move() -> None:
    session = Session(Scripted("tic_tac_toe", (4,), (4, 0, 8)), first=False)
    thought = session.think()
    assert (thought.player, thought.action, thought.name, thought.value) == (0, 4, "b2", 0.5)
    assert thought.line == Line((("b2", True), ("a1", True), ("c3", True)))
    best, *others = thought.moves
    assert (best.name, best.visits, best.share, best.q) == ("b2", 10, 1.0, 0.5)
    assert [(move.visits, move.q) for move in others] == [(0, None)] * 4
    assert sum(move.prior for move in thought.moves) == pytest.approx(5 / 9)
    assert session.last_move == "b2"


def test_a_line_tells_from_where_on_the_rules_forbid_it() -> None:
    session = Session(Scripted("tic_tac_toe", (), (4, 4, 0)))
    assert session.hint().line == Line((("b2", True), ("b2", False), ("a1", False)))
    assert session.moves == 0, "a hint makes no move"


def test_a_result_is_there_once_the_game_is_over() -> None:
    session = Session(Scripted("tic_tac_toe", (3, 4)))
    for move in ("a1", "b1", "c1"):
        assert session.result() is None
        session.play(session.legal_moves[move])
        if not session.over:
            session.think()
    assert session.result() == Result("won", 0, 5, (1.0, -1.0))
    assert session.legal_moves == {}
    assert session.undo() == Undone("move", "c1")
    assert session.result() is None
    session.resign()
    assert session.result() == Result("resigned", 1, 4, (0.0, 0.0))
    assert session.undo() == Undone("resignation")


def test_a_game_of_one_player_has_no_winner() -> None:
    session = Session(Scripted("catch"))
    while not session.over:
        session.play(1)
    result = session.result()
    assert result is not None
    assert (result.kind, result.winner, result.moves) == ("over", None, 9)


def test_nothing_is_undone_before_the_first_move() -> None:
    assert Session(Scripted("tic_tac_toe")).undo() == Undone("nothing")


@pytest.mark.parametrize(("game", "watch"), [("catch", False), ("tic_tac_toe", True)])
def test_there_may_be_no_side_to_change(game: str, watch: bool) -> None:
    with pytest.raises(GameError, match="nothing to swap"):
        Session(Scripted(game), watch=watch).swap()


def test_a_game_that_is_over_is_not_given_up() -> None:
    session = Session(Scripted("tic_tac_toe"))
    session.resign()
    for act in (session.resign, session.swap):
        with pytest.raises(GameError, match="the game is over"):
            act()
    session.again()
    assert (session.over, session.moves) == (False, 0)


def test_a_session_knows_of_no_terminal() -> None:
    """A page or a protocol plays with it as well."""
    check = "import sys; import muzero.play.session; print(sorted(m for m in sys.modules if m.endswith('.console')))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"
