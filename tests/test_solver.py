"""The exact solver against known values, and against plain recursion without memory."""

from __future__ import annotations

from typing import Any

import pytest

from games.base import GameError
from games.solver import Solver

KNOWN = [
    # game, value of the first position for player 0, decision positions (None: not compared)
    ("tic_tac_toe", 0.0, 4520),
    ("hex(board_size=2)", 1.0, 23),
    ("hex(board_size=3)", 1.0, 4520),
    ("breakthrough(rows=4,columns=3)", 1.0, 5363),
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
