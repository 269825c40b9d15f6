"""The exact solver against known values, and against plain recursion without memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from games.base import GameError
from games.solver import PROBE_AT, Solver, surely_more_than
from selfplay.strength.positions import read

KNOWN = [
    # game, value of the first position for player 0, decision positions (None: not compared)
    ("tic_tac_toe", 0.0, 4520),
    ("hex(board_size=2)", 1.0, 23),
    ("hex(board_size=3)", 1.0, 4520),
    ("breakthrough(rows=4,columns=3)", 1.0, 5363),
    ("breakthrough(rows=5,columns=3)", 1.0, 29730),
    ("connect_four(rows=4,columns=4)", 0.0, 134289),
    ("clobber(rows=3,columns=4)", -1.0, 12347),
    ("nim", -1.0, 750),
    ("dots_and_boxes", 1.0, 5531),
    ("havannah(board_size=2)", 1.0, 458),
    # The rules of Go look back, so its positions are told apart by their histories.
    ("go(board_size=2)", -1.0, None),
    ("catch", 1.0, 195),
    ("deep_sea", 0.99, 15),
    ("deep_sea(size=10)", 0.99, 55),
]


@pytest.mark.parametrize(("name", "value", "positions"), KNOWN)
def test_known_values_and_position_counts(name: str, value: float, positions: int | None) -> None:
    solver = Solver(name)
    assert solver.value(solver.new_state()) == pytest.approx(value)
    if positions is not None:
        assert solver.solved_states == positions
        assert sum(1 for _ in solver.reachable_decisions()) == positions


def plain_value(state: Any, player: int) -> float:
    """Final return of `player` under perfect play, by bare recursion."""
    if state.is_terminal():
        return float(state.player_return(player))
    values = [plain_value(state.child(action), player) for action in state.legal_actions()]
    return max(values) if state.current_player() == player else min(values)


@pytest.mark.parametrize(
    "name", ["hex(board_size=2)", "dots_and_boxes(num_rows=1,num_cols=2)", "nim(pile_sizes=1;2;3)"]
)
def test_every_move_value_equals_plain_recursion(name: str) -> None:
    solver = Solver(name)
    for history in solver.reachable_decisions():
        state = solver.state_after(history)
        mover = state.current_player()
        for action, value in solver.move_values(state).items():
            assert value == plain_value(state.child(action), mover)


def test_move_values_of_a_won_position() -> None:
    solver = Solver("tic_tac_toe")
    state = solver.state_after((0, 3, 1, 4))
    values = solver.move_values(state)
    assert values[2] == 1.0
    assert values[5] == 0.0
    assert values[8] == -1.0
    assert set(values) == {2, 5, 6, 7, 8}
    assert solver.value(state) == 1.0


def test_positions_that_read_the_same_but_play_otherwise_are_told_apart() -> None:
    """The die that says which stones may move is not in the text."""
    solver = Solver("einstein_wurfelt_nicht")
    state = solver.new_state()
    while len({tuple(state.child(action).legal_actions()) for action in state.legal_actions()}) < 2:
        state.apply_action(state.legal_actions()[0])
    assert state.is_chance_node()
    thrown = [state.child(action) for action in state.legal_actions()]
    assert len(set(map(str, thrown))) == 1
    assert len({solver._key(child) for child in thrown}) == len(thrown)


def plain_score(state: Any, player: int, most: int) -> float:
    """Score of the position for `player` by bare recursion: most, less one for each move until the end."""
    if state.is_terminal():
        return float(state.player_return(player)) * most
    scores = [plain_score(state.child(action), player, most) for action in state.legal_actions()]
    best = max(scores) if state.current_player() == player else min(scores)
    return best - np.sign(best)


@pytest.mark.parametrize(
    "name", ["hex(board_size=2)", "dots_and_boxes(num_rows=1,num_cols=2)", "nim(pile_sizes=1;2;3)"]
)
def test_every_move_score_equals_plain_recursion(name: str) -> None:
    solver = Solver(name)
    assert solver.timed
    for history in solver.reachable_decisions():
        state = solver.state_after(history)
        for action, score in solver.move_scores(state).items():
            plain = plain_score(state.child(action), state.current_player(), solver.spec.max_length + 1)
            assert score == plain - np.sign(plain)


def test_scores_prefer_the_sooner_win_and_the_later_loss() -> None:
    solver = Solver("tic_tac_toe")
    scores = solver.move_scores(solver.state_after((0, 3, 1, 4)))
    assert scores == {2: 9, 5: 0, 6: -8, 7: -8, 8: -8}
    assert max(solver.move_scores(solver.state_after((0, 1))).values()) == 1 + 9 - 5


def test_scores_agree_with_solved_connect_four() -> None:
    """Late positions of the shipped file: a win with disc d of the whole game scores (44 - d) // 2 there."""
    solver = Solver("connect_four")
    known = read(Path(__file__).parents[2] / "benchmarks" / "data" / "connect_four_positions.csv", "connect_four")
    late = [i for i, history in enumerate(known.histories) if len(history) >= 30]
    assert len(late) >= 30
    for i in late:
        played = len(known.histories[i])
        for action, score in solver.move_scores(solver.state_after(known.histories[i])).items():
            disc = played + 1 + solver.spec.max_length - abs(score)
            assert known.scores[i, action] == (np.sign(score) * ((44 - disc) // 2) if score else 0)


@pytest.mark.parametrize("name", ["catch", "deep_sea"])
def test_games_of_returns_have_values_for_scores(name: str) -> None:
    solver = Solver(name)
    assert not solver.timed
    state = solver.state_after(next(solver.reachable_decisions()))
    assert solver.move_scores(state) == solver.move_values(state)


def test_the_end_has_value_zero() -> None:
    solver = Solver("tic_tac_toe")
    assert solver.value(solver.state_after((0, 3, 1, 4, 2))) == 0.0


def test_histories_start_with_the_first_position_and_replay() -> None:
    solver = Solver("tic_tac_toe")
    histories = list(solver.reachable_decisions())
    assert histories[0] == ()
    assert len(set(histories)) == len(histories)
    assert not any(solver.state_after(history).is_terminal() for history in histories)


def test_too_many_positions_are_refused() -> None:
    solver = Solver("tic_tac_toe", max_states=100)
    with pytest.raises(GameError, match="more than 100 positions"):
        solver.value(solver.new_state())
    with pytest.raises(GameError, match="more than 100 positions"):
        list(solver.reachable_decisions())


def test_a_failed_solver_says_the_same_again() -> None:
    solver = Solver("tic_tac_toe", max_states=100)
    for _ in (0, 1):
        with pytest.raises(GameError, match="more than 100 positions"):
            solver.value(solver.new_state())
        assert solver.solved_states == 0


def test_large_games_are_refused_early() -> None:
    solver, told = Solver("connect_four"), list[int]()
    solver.progress = told.append
    with pytest.raises(GameError, match=r"surely more than 2000000 positions.* mcts:N$"):
        solver.value(solver.new_state())
    with pytest.raises(GameError, match="surely more"):
        list(Solver("hex").reachable_decisions())
    assert max(told) < PROBE_AT


def test_a_probe_never_refuses_what_fits() -> None:
    """Connect Four on 4x4 has 134,289 positions: that many are never refused, 50 are."""
    solver = Solver("connect_four(rows=4,columns=4)")
    for bound, refused in ((134_289, False), (50, True)):
        assert surely_more_than(bound, solver.new_state(), lambda state: str(state).encode()) == refused


class Loop:
    """A game that goes in a circle of two positions, in the few words of OpenSpiel that the solver uses."""

    def __init__(self, place: int = 0) -> None:
        self.place = place

    def is_terminal(self) -> bool:
        return self.place == 2

    def is_chance_node(self) -> bool:
        return False

    def current_player(self) -> int:
        return self.place

    def player_return(self, player: int) -> float:
        return 0.0

    def legal_actions(self) -> list[int]:
        return [0, 1]

    def child(self, action: int) -> Loop:
        return Loop(2 if action else 1 - self.place)

    def __str__(self) -> str:
        return str(self.place)


def test_positions_that_come_back_are_refused() -> None:
    with pytest.raises(GameError, match="a position can repeat within a game"):
        Solver("tic_tac_toe").value(Loop())


@pytest.mark.parametrize("name", ["chess", "2048", "pig"])
def test_long_games_are_refused(name: str) -> None:
    with pytest.raises(GameError, match="too long to solve"):
        Solver(name)


def test_unsupported_games_are_refused() -> None:
    with pytest.raises(GameError, match="hidden information"):
        Solver("kuhn_poker")


@pytest.mark.parametrize("where", ["games.examples.subtraction", "games/examples/subtraction.py"])
def test_own_games_are_refused(where: str) -> None:
    with pytest.raises(GameError, match="exact values are for OpenSpiel games only"):
        Solver(f"{where}:Subtraction")


def test_too_large_a_game_is_sent_to_another_opponent() -> None:
    solver = Solver("hex(board_size=3)", max_states=10)
    with pytest.raises(GameError, match=r"too large for exact values; .* mcts:N$"):
        solver.value(solver.new_state())
    with pytest.raises(GameError, match=r"smaller parameters of the game, or measure against mcts:N$"):
        Solver("chess")
