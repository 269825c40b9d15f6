"""Boards, move names and a session against a made-up agent: nothing typed may crash or cheat."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import Scripted

import games as engines
from games.base import GameError
from muzero.commands import play
from muzero.commands.play.dialogue import Dialogue
from muzero.commands.play.refusals import refusal
from muzero.commands.play.thoughts import value_bar
from muzero.play.board import DRAWINGS, OWN_SIGNS, Board, read_board
from muzero.play.drawing import draw, shapes
from muzero.play.moves import legal_names, move_name, parse_move
from muzero.play.session import Session
from muzero.play.thoughts import expected_line as ahead
from muzero.view.terminal import Ink

PLAIN = Ink(False)
PLACING = ("tic_tac_toe", "mnk", "gomoku", "othello", "go(board_size=9)", "hex(board_size=5)")
DRAWN = (*PLACING, "connect_four", "breakthrough", "clobber", "checkers", "chess")
UNDRAWN = ("catch", "nim", "pig(players=2)", "dots_and_boxes", "amazons", "ultimate_tic_tac_toe", "2048")


def session(game: str, agent: Scripted | None = None, **options: Any) -> Dialogue:
    return Dialogue(Session(agent or Scripted(game), **options), PLAIN, True)


def expected_line(batch: Any, variation: list[int], fancy: bool) -> str:
    return ahead(batch, variation).text(fancy)


def position(game: str, plies: int, seed: int) -> tuple[Any, list[int]]:
    """A batch of one game after random moves, and the moves."""
    batch, rng, moves = engines.make(game, 1, seed), random.Random(seed), []
    for _ in range(plies):
        if not batch.legal().any():
            break
        moves.append(rng.choice(np.flatnonzero(batch.legal()[0]).tolist()))
        batch.step(np.array(moves[-1:], np.int32))
    return batch, moves


def board_of(batch: Any) -> Board:
    board = read_board(batch.spec.name, batch.render(0))
    assert board is not None
    return board


@pytest.mark.parametrize("size", [3, 7, 11])
def test_rows_of_hexagons_shift_evenly_by_half_a_cell(size: int) -> None:
    """A cell of the next row touches the two above it, from column to column and from row to row."""
    rows = draw(board_of(engines.make(f"hex(board_size={size})", 1)), PLAIN, False).splitlines()[1:]
    places = [[column for column, sign in enumerate(row) if sign == "."] for row in rows]
    assert [len(row) for row in places] == [size] * size
    across = {right - left for row in places for left, right in pairwise(row)}
    down = {lower[0] - upper[0] for upper, lower in pairwise(places)}
    assert (across, down) == ({4}, {2})
    assert max(map(len, rows)) <= 80


def test_every_drawing_is_tested() -> None:
    assert {game.partition("(")[0] for game in DRAWN} == set(DRAWINGS)


@pytest.mark.parametrize("game", PLACING)
def test_a_stone_appears_where_its_coordinate_says(game: str) -> None:
    for seed in range(5):
        batch, _ = position(game, 4 * seed, seed)
        if not batch.legal().any():
            continue
        before, player = board_of(batch), int(batch.to_play()[0])
        name, action = next(iter(legal_names(batch).items()))
        batch.step(np.array([action], np.int32))
        cell = board_of(batch).cell(name)
        assert cell is not None, name
        assert board_of(batch).name(cell) == name
        assert board_of(batch).added(before) == {cell}
        assert board_of(batch).owner(cell) == player


@pytest.mark.parametrize("game", ["breakthrough", "clobber", "checkers"])
def test_a_piece_arrives_where_its_move_says(game: str) -> None:
    for seed in range(5):
        batch, _ = position(game, 2 * seed, seed)
        player = int(batch.to_play()[0])
        name, action = next(iter(legal_names(batch).items()))
        batch.step(np.array([action], np.int32))
        after = board_of(batch)
        start, end = after.cell(name[:2]), after.cell(name[2:4])
        assert start is not None
        assert end is not None
        assert (after.owner(start), after.owner(end)) == (None, player)


def test_chess_is_drawn_from_whites_side() -> None:
    board = board_of(engines.make("chess", 1))
    assert board.name((7, 0)) == "a1"
    assert (board.owner((7, 4)), board.owner((0, 4))) == (1, 0)
    assert "K" in draw(board, PLAIN, True).splitlines()[-2]


def test_connect_four_falls_into_the_named_column() -> None:
    batch = engines.make("connect_four", 1)
    batch.step(np.array([parse_move(batch, "4")], np.int32))
    board = board_of(batch)
    assert board.owner((5, 3)) == 0
    picture = draw(board, PLAIN, True, marked=[(5, 3)])
    assert picture.splitlines()[0].split() == list("1234567")
    assert "(●)" in picture.splitlines()[6]
    assert draw(board, PLAIN, False).isascii()


@pytest.mark.parametrize("game", DRAWN)
@pytest.mark.parametrize("fancy", [True, False])
def test_pictures_hold_a_stone_for_each_piece(game: str, fancy: bool) -> None:
    batch, _ = position(game, 9, 1)
    board = board_of(batch)
    picture = draw(board, PLAIN, fancy)
    cells = [(r, c) for r in range(len(board.rows)) for c in range(len(board.rows[0]))]
    owners = [board.owner(cell) for cell in cells]
    assert "\x1b" not in picture
    if fancy and not board.drawing.own_letters and game != "checkers":
        body = picture.split("\n", 1)[1]
        for player in (0, 1):
            assert body.count(shapes(board.drawing)[True][player]) == owners.count(player)
    assert "\x1b[31" in draw(board, Ink(True), fancy)


@pytest.mark.parametrize(
    "game", ["hex(board_size=4)", "hex(num_cols=5,num_rows=3)", "othello", "go(board_size=9)", "y(board_size=4)",
             "havannah(board_size=3)"]
)
def test_cells_are_named_as_the_game_names_them(game: str) -> None:
    for plies in (0, 1, 6):
        batch, _ = position(game, plies, plies)
        for action in np.flatnonzero(batch.legal()[0]).tolist():
            assert move_name(batch, action) == batch.action_name(0, action).split()[-1].lower()


@pytest.mark.parametrize("game", [*DRAWN, *UNDRAWN])
def test_every_legal_move_can_be_typed(game: str) -> None:
    for seed in range(3):
        batch, _ = position(game, 5 * seed, seed)
        for action in np.flatnonzero(batch.legal()[0]).tolist():
            assert parse_move(batch, move_name(batch, action)) == action
            assert parse_move(batch, f" {move_name(batch, action).upper()} ") == action
            assert parse_move(batch, f"#{action}") == action


def test_the_games_own_text_can_be_typed() -> None:
    batch = engines.make("tic_tac_toe", 1)
    assert parse_move(batch, "x(1,1)") == parse_move(batch, "b2") == 4
    go = engines.make("go(board_size=9)", 1)
    assert parse_move(go, "pass") == parse_move(go, "B PASS") == 81


def test_a_numbered_move_is_its_text_or_its_number() -> None:
    for seed in range(4):
        batch, _ = position("backgammon", 10, seed)
        for action in np.flatnonzero(batch.legal()[0]).tolist():
            text = batch.action_name(0, action)
            assert parse_move(batch, text) == parse_move(batch, f"#{action}") == action
            if text.startswith(f"{action} - "):
                assert parse_move(batch, str(action)) == action
                same = parse_move(batch, move_name(batch, action))
                assert same is not None
                assert batch.action_name(0, same).partition(" - ")[2] == text.partition(" - ")[2]


def test_the_last_number_is_enough_where_nothing_else_differs() -> None:
    pile = engines.make("games.examples.subtraction:Subtraction", 1)
    assert [parse_move(pile, text) for text in ("take 2", "2", "4")] == [1, 1, None]
    assert parse_move(engines.make("ultimate_tic_tac_toe", 1), "3") == 3
    for other in ("nim", "dots_and_boxes", "amazons", "tic_tac_toe"):
        assert parse_move(engines.make(other, 1), "1") is None


def test_chess_moves_may_name_two_squares() -> None:
    batch = engines.make("chess", 1)
    assert parse_move(batch, "e2e4") == parse_move(batch, "e4")
    assert parse_move(batch, "G1F3") == parse_move(batch, "Nf3")
    assert [parse_move(batch, text) for text in ("e2e5", "e4e2", "e2e4q", "a2e4")] == [None] * 4


def test_chess_tells_a_bishop_from_the_b_pawn() -> None:
    batch = engines.make("chess", 1)
    for move in ("e4", "d6", "Ba6", "Bd7", "a3", "Bb5", "a4"):
        batch.step(np.array([parse_move(batch, move)], np.int32))
    names = legal_names(batch)
    for name in ("bxa6", "Bxa6"):
        assert parse_move(batch, name) == names[name]
    assert names["bxa6"] != names["Bxa6"]


def test_a_full_column_is_explained() -> None:
    batch = engines.make("connect_four", 1)
    for _ in range(6):
        batch.step(np.array([3], np.int32))
    assert refusal(batch, board_of(batch), "4") == "column 4 is full; legal: 1 2 3 5 6 7"
    assert refusal(batch, board_of(batch), "9") == "there is no column 9; legal: 1 2 3 5 6 7"


def test_other_refusals_say_why() -> None:
    batch = engines.make("tic_tac_toe", 1)
    batch.step(np.array([4], np.int32))
    assert refusal(batch, board_of(batch), "b2") == "b2 is taken; legal: a1 b1 c1 a2 c2 a3 b3 c3"
    assert refusal(batch, board_of(batch), "z9").startswith("no move 'z9' here")
    othello = engines.make("othello", 1)
    assert refusal(othello, board_of(othello), "a1").startswith("a1 is not possible now")
    catch = engines.make("catch", 1)
    assert refusal(catch, None, "resing", ("resign", "undo")).startswith("no move 'resing' here, nearest: resign; ")
    assert refusal(catch, None, "leftt") == "no move 'leftt' here, nearest: LEFT; legal: LEFT STAY RIGHT"


@pytest.mark.parametrize("game", ["connect_four", "tic_tac_toe", "catch", "pig(players=2)"])
@given(text=st.text(max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_nothing_typed_raises_and_what_is_illegal_changes_nothing(game: str, text: str) -> None:
    table = session(game)
    before = table.session.games.snapshot()
    legal = parse_move(table.session.games, text.strip()) if text.strip() else None
    changed, said = table.answer(text)
    if legal is None and text.strip().lower() not in table.commands:
        assert not changed
        assert table.session.games.snapshot() == before
        assert bool(said) == bool(text.strip())


def test_moves_alternate_and_undo_goes_back_to_the_persons_move() -> None:
    table = session("tic_tac_toe")
    start = table.session.games.snapshot()
    assert not table.session.agent_to_move
    assert table.answer("b2") == (True, "")
    assert table.session.agent_to_move
    assert "plays" in table.think()
    assert table.session.to_play == table.session.person
    assert table.answer("undo") == (True, "took back b2")
    assert table.session.games.snapshot() == start
    assert table.answer("undo") == (False, "nothing to undo")


def test_undo_from_the_second_seat_keeps_the_agents_first_move() -> None:
    table = session("tic_tac_toe", first=False)
    assert table.session.agent_to_move
    table.think()
    after_first = table.session.games.snapshot()
    table.answer("c3")
    table.think()
    table.answer("undo")
    assert table.session.games.snapshot() == after_first


def test_undo_after_the_end_plays_on() -> None:
    table = session("tic_tac_toe", Scripted("tic_tac_toe", (3, 4)))
    for move in ("a1", "b1"):
        table.answer(move)
        table.think()
    table.answer("c1")
    assert table.session.over
    assert table.outcome() == "You win!"
    assert table.answer("b2") == (False, "the game is over: again, undo or quit")
    assert table.answer("undo")[0]
    assert not table.session.over


def test_swap_changes_sides_without_a_move() -> None:
    table = session("tic_tac_toe")
    before = table.session.games.snapshot()
    changed, said = table.answer("swap")
    assert changed
    assert "O you" in said
    assert table.session.agent_to_move
    assert table.session.games.snapshot() == before
    table.think()
    assert not table.session.agent_to_move


def test_resign_ends_the_game_and_can_be_taken_back() -> None:
    table = session("connect_four")
    assert table.answer("resign") == (True, "")
    assert table.session.over
    assert table.outcome() == "You resign. muzero wins."
    assert table.answer("undo") == (True, "you play on")
    assert not table.session.over


def test_hint_and_moves_do_not_move() -> None:
    table = session("tic_tac_toe", Scripted("tic_tac_toe", (4,)))
    before = table.session.games.snapshot()
    changed, said = table.answer("hint")
    assert not changed
    assert "would play b2" in said
    assert table.answer("moves") == (False, "  a1 b1 c1 a2 b2 c2 a3 b3 c3")
    assert table.session.games.snapshot() == before


def test_who_wins_is_told_from_the_persons_side() -> None:
    table = session("tic_tac_toe", Scripted("tic_tac_toe", (0, 1, 2)))
    table.answer("a3")
    for move in ("b3", "c2", None):
        table.think()
        if move:
            table.answer(move)
    assert table.session.over
    assert table.outcome() == "muzero wins."


def test_moves_the_rules_do_not_allow_are_marked_from_the_first_on() -> None:
    batch = engines.make("tic_tac_toe", 1)
    assert expected_line(batch, [4, 0, 8], True) == "b2 a1 c3"
    marked = expected_line(batch, [4, 4, 0], True)
    assert marked.startswith("b2 b2✗ a1✗ ")
    assert expected_line(batch, [4, 4], False).startswith("b2 b2! ")
    assert batch.to_play()[0] == 0


@pytest.mark.parametrize(("game", "made", "variation", "line"), [
    ("tic_tac_toe", [], [0, 3, 1, 4, 2, 5, 5], "a1 a2 b1 b2 c1"),
    ("tic_tac_toe", [0, 3, 1, 4], [2, 5], "c1"), ("catch", [1] * 7, [0, 2, 1, 1, 1], "LEFT RIGHT"),
    ("games.examples.subtraction:Subtraction", [2] * 6, [1, 0, 1], "take 2 take 1")])
def test_a_line_ends_with_the_game(game: str, made: list[int], variation: list[int], line: str) -> None:
    """Where the rules allow all its moves; with chance and without."""
    batch = engines.make(game, 1)
    for move in made:
        batch.step(np.array([move], np.int32))
    before = batch.observe()
    assert expected_line(batch, variation, True) == line
    assert (batch.observe() == before).all()


def test_moves_the_rules_do_not_allow_keep_their_names() -> None:
    hexes = engines.make("hex(board_size=4)", 1)
    assert expected_line(hexes, [9, 9, 15], True).startswith("b3 b3✗ d4✗ ")
    assert expected_line(engines.make("othello", 1), [19, 19, 64], True).startswith("d3 d3✗ pass✗ ")
    pile = engines.make("games.examples.subtraction:Subtraction", 1)
    for take in [2] * 6:
        pile.step(np.array([take], np.int32))
    assert expected_line(pile, [1, 2, 1], True).startswith("take 2 take 3✗ take 2✗ ")
    assert expected_line(engines.make("nim", 1), [0, 4], True).split()[-1] != "#4✗"


def test_a_line_ends_where_only_the_dice_could_name_a_move() -> None:
    batch = engines.make("backgammon", 1)
    action = int(batch.legal()[0].argmax())
    for later in ([action], [1000, 3], [0]):
        assert expected_line(batch, [action, *later], True) == f"{move_name(batch, action)} ..."
    assert expected_line(engines.make("pig(players=2)", 1), [0, 0, 1], True) == "roll roll stop"


def test_a_line_with_chance_is_checked_at_its_first_move_only() -> None:
    batch = engines.make("pig(players=2)", 1)
    assert "✗" not in expected_line(batch, [0, 0, 1, 1], True)


def test_the_value_bar_is_filled_from_the_left_players_side() -> None:
    spec = engines.spec("tic_tac_toe")
    names = ("you", "muzero")
    for value, left, filled in ((1.0, False, 0), (1.0, True, 24), (-1.0, True, 0), (0.0, False, 12)):
        assert value_bar(spec, value, names, left, PLAIN, True).count("█") == filled
    assert value_bar(spec, 0.5, names, False, PLAIN, True).endswith("muzero  +0.50 for muzero")
    assert value_bar(spec, -0.001, names, False, PLAIN, True).endswith("muzero  +0.00 for muzero")


def converse(arguments: play.Arguments, agent: Scripted, lines: list[str], end: type[BaseException]) -> int:
    typed: Iterator[str] = iter(lines)

    def read(prompt: str) -> str:
        for line in typed:
            return line
        raise end

    return play.sit_down(agent, arguments, read)


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_the_end_of_input_leaves_politely(
    end: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = play.Arguments("tic_tac_toe", simulations=7)
    agent = Scripted("tic_tac_toe")
    assert converse(arguments, agent, ["e5", "", "b2"], end) == 0
    out = capsys.readouterr().out
    assert out.endswith("bye\n")
    assert "no move 'e5' here" in out
    assert "\x1b" not in out
    assert agent.asked == [7]


def test_a_whole_game_is_played_and_played_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = play.Arguments("tic_tac_toe", seat="second")
    agent = Scripted("tic_tac_toe", (0, 1, 2))
    assert converse(arguments, agent, ["b2", "c3", "again", "quit"], EOFError) == 0
    out = capsys.readouterr().out
    assert "muzero wins." in out
    assert out.count("muzero plays a1") == 2


def test_watching_needs_no_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert converse(play.Arguments("connect_four", watch=True), Scripted("connect_four"), [], EOFError) == 0
    said = capsys.readouterr().out
    assert "wins." in said
    assert "Ctrl-C stops\n" in said
    assert "? for help" not in said, "nobody reads what is typed"
    assert converse(play.Arguments("catch", watch=True), Scripted("catch"), [], EOFError) == 0
    assert "Game over. Return: " in capsys.readouterr().out


def test_one_player_games_are_the_persons(capsys: pytest.CaptureFixture[str]) -> None:
    agent = Scripted("catch")
    assert converse(play.Arguments("catch", seat="second"), agent, ["stay"] * 9 + ["quit"], EOFError) == 0
    said = capsys.readouterr().out
    assert "Game over. Return: " in said
    assert all(f"step {step}   return so far 0\n" in said for step in range(9))
    assert agent.asked == []


def test_help_tells_what_this_game_knows() -> None:
    assert "the number of a column" in session("connect_four").help()
    for game, example in (("tic_tac_toe", "`a1`"), ("games.examples.subtraction:Subtraction", "`take 1`")):
        said = session(game).answer("?")[1]
        assert "column" not in said
        assert example in said
        assert "\n  swap " in said
    assert "swap" not in session("catch").help()
    assert all("#12" in session(game).help() for game in ("connect_four", "backgammon", "catch"))


def test_short_words_at_the_end() -> None:
    table = session("tic_tac_toe", Scripted("tic_tac_toe", (3, 4)))
    assert table.answer("u")[1].startswith("no move 'u' here")
    for move in ("a1", "b1"):
        table.answer(move)
        table.think()
    table.answer("c1")
    assert table.answer("u") == (True, "took back c1")
    table.answer("c1")
    assert table.answer("A") == (True, "")
    assert not table.session.over
    assert table.session.to_play == table.session.person
    assert table.answer("undo") == (False, "nothing to undo")


def test_games_shown_in_their_own_text_say_whose_pieces_are_whose() -> None:
    assert not OWN_SIGNS.keys() & DRAWINGS.keys()
    for seed in range(4):
        batch = engines.make("backgammon", 1, seed)
        assert f"Turn: {OWN_SIGNS['backgammon'][batch.to_play()[0]]}" in batch.render(0)
    table = session("backgammon")
    assert f"{OWN_SIGNS['backgammon'][table.session.to_play]}: you" in table.legend()
    assert session("banqi").legend() == "player 0: you   player 1: muzero"


@pytest.mark.parametrize(
    "game", ["havannah(board_size=3)", "y(board_size=4)", "pentago", "ultimate_tic_tac_toe", "nine_mens_morris"]
)
def test_own_signs_appear_with_their_players_moves(game: str) -> None:
    batch, _ = position(game, 1 if game == "ultimate_tic_tac_toe" else 0, 0)
    for _ in range(2):
        player = int(batch.to_play()[0])
        if game == "ultimate_tic_tac_toe" and "Choose" in batch.action_name(0, int(batch.legal()[0].argmax())):
            batch.step(np.array([batch.legal()[0].argmax()], np.int32))
        sign, before = OWN_SIGNS[game.partition("(")[0]][player], grid(batch)
        batch.step(np.array([batch.legal()[0].argmax()], np.int32))
        assert grid(batch).count(sign) == before.count(sign) + 1


def grid(batch: Any) -> str:
    """The board of a game's own text, without the words below it."""
    return str(batch.render(0)).partition("Current player")[0]


def test_own_text_of_a_game_keeps_no_control_codes() -> None:
    assert "\x1b" in engines.make("twixt", 1).render(0)
    assert "\x1b" not in session("twixt").picture()


def test_an_illegal_action_is_no_move() -> None:
    with pytest.raises(GameError):
        session("connect_four").session.play(9)
