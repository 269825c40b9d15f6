"""Exact Connect Four against a plain search over OpenSpiel states, solved positions, and its opening values."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
import pytest

from games.base import GameError
from games.connect_four import ConnectFourSolver
from games.connect_four_openings import BOARD, PLIES, layers, opening_value, pack, unpack
from games.connect_four_search import Board, has_four, key_of, new_memory, winning_cells, wins_now
from games.exact import exact
from games.solver import Solver
from selfplay.strength.positions import read

POSITIONS = Path(__file__).parents[2] / "benchmarks" / "data" / "connect_four_positions.csv"
USUAL = "connect_four"


def random_states(solver: ConnectFourSolver, count: int, seed: int, least: int = 0) -> list[Any]:
    """Unfinished positions of random games, at least so many moves in."""
    generator, found = random.Random(seed), []
    while len(found) < count:
        state, path = solver.new_state(), []
        while not state.is_terminal():
            path.append(state.clone())
            state.apply_action(generator.choice(state.legal_actions()))
        if path[least:]:
            found.append(generator.choice(path[least:]))
    return found


@pytest.mark.parametrize("size", [(4, 4), (3, 5), (5, 3), (5, 4), (4, 5), (3, 4), (1, 4), (4, 1)])
def test_scores_are_those_of_the_solver_that_visits_every_position(size: tuple[int, int]) -> None:
    """Even and odd heights, boards too low or too narrow for some lines."""
    name = f"connect_four(rows={size[0]},columns={size[1]})"
    ours = ConnectFourSolver(name)
    plain = Solver(name)
    least = max(0, size[0] * size[1] - 12)
    for state in random_states(ours, 60, seed=sum(size), least=least):
        assert ours.move_scores(state) == plain.move_scores(state), state.history()
        assert ours.move_values(state) == plain.move_values(state)
        assert ours.value(state) == plain.value(state)


def test_the_start_of_small_boards() -> None:
    """Drawn on 4 x 4, 4 x 5 and 5 x 5, as is well known."""
    for rows, columns in ((4, 4), (4, 5), (5, 4), (5, 5)):
        solver = ConnectFourSolver(f"connect_four(rows={rows},columns={columns})")
        assert solver.value(solver.new_state()) == 0


def test_scores_of_solved_positions_on_the_usual_board() -> None:
    """Those with 14 discs or more of the solved file; a win with disc d scores (44 - d) // 2 there."""
    solver, positions = ConnectFourSolver(USUAL), read(POSITIONS, USUAL)
    for history, scores in zip(positions.histories, positions.scores, strict=True):
        if len(history) < 14:
            continue
        state = solver.new_state()
        for action in history:
            state.apply_action(action)
        for action, score in solver.move_scores(state).items():
            last = len(history) + 43 - int(abs(score))
            assert scores[action] == np.sign(score) * ((44 - last) // 2)


def test_a_finished_position_has_nothing_to_come() -> None:
    solver = ConnectFourSolver("connect_four(rows=4,columns=4)")
    state = solver.new_state()
    for action in (0, 1, 0, 1, 0, 1, 0):
        state.apply_action(action)
    assert state.is_terminal()
    assert solver.value(state) == 0


def test_a_winning_move_scores_most() -> None:
    solver = ConnectFourSolver(USUAL)
    state = solver.new_state()
    for action in (0, 1, 0, 1, 0, 1):
        state.apply_action(action)
    scores = solver.move_scores(state)
    assert scores[0] == 42  # 1 + 42 - 1
    assert max(scores, key=lambda action: scores[action]) == 0
    assert solver.move_values(state)[0] == 1


@pytest.mark.parametrize("size", [(6, 7), (4, 4), (5, 8), (7, 5)])
def test_lines_and_threats_are_openspiels(size: tuple[int, int]) -> None:
    """Has four = OpenSpiel's end of the game; winning cells = the moves after which OpenSpiel says so."""
    board = Board(*size)
    game = pyspiel.load_game("connect_four", {"rows": size[0], "columns": size[1]})
    generator = random.Random(1)
    for _ in range(60):
        state, sides = game.new_initial_state(), [0, 0]
        while not state.is_terminal():
            mover = state.current_player()
            mine, discs = sides[mover], sides[0] | sides[1]
            landings = {action: board.landing(discs, action) for action in state.legal_actions()}
            cells = int(winning_cells(np.uint64(mine), np.uint64(discs), board.shape))
            wins = {action for action in landings if state.child(action).player_return(mover) > 0}
            assert {action for action, cell in landings.items() if cell & cells} == wins
            assert bool(wins_now(np.uint64(mine), np.uint64(discs), board.shape)) == bool(wins)
            action = generator.choice(state.legal_actions())
            sides[mover] |= landings[action]
            state.apply_action(action)
            assert bool(has_four(np.uint64(sides[mover]), board.shape)) == (state.player_return(mover) > 0)


def test_what_earlier_searches_left_in_memory_changes_nothing() -> None:
    """The same search with an old memory and with an empty one."""
    board, memory = Board(6, 7), new_memory()
    solver = ConnectFourSolver(USUAL)
    for state in random_states(solver, 30, seed=3, least=16):
        mine, discs = solver._discs(state)
        fresh = board.score(mine, discs, -42, 42, new_memory())
        assert board.score(mine, discs, -42, 42, memory) == fresh
        assert board.score(mine, discs, -42, 42, memory) == fresh


def test_a_window_gives_the_score_or_a_bound_on_its_side() -> None:
    board, solver = Board(6, 7), ConnectFourSolver(USUAL)
    for state in random_states(solver, 20, seed=4, least=20):
        mine, discs = solver._discs(state)
        score = board.score(mine, discs, -42, 42, new_memory())
        for low in range(-6, 6):
            found = board.score(mine, discs, low, low + 1, new_memory())
            assert found <= score if found > low else found >= score


def test_openings_are_all_different_positions() -> None:
    """Counted independently over OpenSpiel's states, mirror images once."""
    states = {"start": pyspiel.load_game(USUAL).new_initial_state()}
    for keys, _, _ in layers(5):
        assert len(keys) == len(np.unique(keys)) == len(states)
        after = [state.child(action) for state in states.values() for action in state.legal_actions()]
        states = {_text_or_mirror(state): state for state in after}


def _text_or_mirror(state: Any) -> str:
    text = str(state)
    return min(text, "\n".join(line[::-1] for line in text.split("\n")))


def test_opening_values_are_those_of_the_search() -> None:
    """Positions of the file where a threat stands already, which are searched fast; quieter ones by the command that
    checks the file."""
    memory, (_, mine, discs) = new_memory(), layers(PLIES)[PLIES]
    positions = list(zip(mine.tolist(), discs.tolist(), strict=True))
    threats = [position for position in positions if _threat(*position)]
    for position in random.Random(0).sample(threats, 30):
        assert opening_value(*position) == np.sign(BOARD.score(*position, -1, 1, memory))


def _threat(mine: int, discs: int) -> bool:
    own, whole = np.uint64(mine), np.uint64(discs)
    return bool(winning_cells(own, whole, BOARD.shape)) or bool(winning_cells(own ^ whole, whole, BOARD.shape))


def test_beyond_the_openings_nothing_is_known() -> None:
    solver = ConnectFourSolver(USUAL)
    for state in random_states(solver, 20, seed=5, least=PLIES + 1):
        assert opening_value(*solver._discs(state)) is None


def test_packed_values_come_back() -> None:
    values = np.random.default_rng(0).integers(-1, 2, 1001).astype(np.int8)
    data = pack(values)
    assert len(data) == 251
    assert (unpack(data, 1001) == values).all()
    for damaged in (data[:-1], data + b"0", b"\xff" + data[1:]):
        with pytest.raises(GameError, match="damaged"):
            unpack(damaged, 1001)


def test_the_first_move_belongs_in_the_middle() -> None:
    """Won in the middle, drawn beside it, lost at the edges: Allis (1988), Allen (1988)."""
    solver = ConnectFourSolver(USUAL)
    assert solver.value(solver.new_state()) == 1
    assert solver.move_values(solver.new_state()) == {0: -1, 1: -1, 2: 0, 3: 1, 4: 0, 5: -1, 6: -1}


def test_mirror_images_share_a_value_and_others_do_not_share_a_key() -> None:
    left, right = BOARD.landing(0, 0), BOARD.landing(0, 6)
    keys = {(mine, discs): int(key_of(np.uint64(mine), np.uint64(discs), BOARD.shape, BOARD.columns))
            for mine, discs in ((left, left), (right, right), (0, left), (0, right), (left, left | right))}
    assert keys[left, left] == keys[right, right] != keys[0, left] == keys[0, right]
    assert len(set(keys.values())) == 3


@pytest.mark.parametrize(
    "name", ["connect_four(rows=7,columns=7)", "connect_four(x_in_row=3)", "tic_tac_toe",
             "connect_four(rows=8,columns=8)", "connect_four(rows=1,columns=36)"]
)
def test_other_games_are_refused(name: str) -> None:
    with pytest.raises(GameError, match="exact search is for Connect Four"):
        ConnectFourSolver(name)


def test_the_right_solver_is_chosen() -> None:
    assert isinstance(exact(USUAL), ConnectFourSolver)
    assert isinstance(exact("connect_four(x_in_row=3,rows=3,columns=3)"), Solver)
    assert isinstance(exact("tic_tac_toe"), Solver)
