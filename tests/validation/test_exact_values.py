"""Exact values for validation: where they are known, and where they would take long."""

from __future__ import annotations

import numpy as np
import pytest

import games
from games.exact import exact
from muzero.validation.exact_values import exact_values


def after(game: str, *moves: int) -> games.GameBatch:
    batch = games.make(game, 1)
    for move in moves:
        batch.step(np.array([move], np.int32))
    return batch


def test_values_are_of_the_player_to_move() -> None:
    value = exact_values("tic_tac_toe")
    assert value is not None
    assert value(after("tic_tac_toe"), 0) == 0.0
    # X has two in a row: to move, it wins; then O loses.
    assert value(after("tic_tac_toe", 0, 3, 1, 4), 0) == 1.0
    assert value(after("tic_tac_toe", 0, 3, 1, 8, 4), 0) == -1.0


def test_positions_that_take_long_have_no_value() -> None:
    value = exact_values("connect_four")
    assert value is not None
    assert value(after("connect_four"), 0) == 1.0
    columns = (3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0)
    assert value(after("connect_four", *columns[:8]), 0) in (-1.0, 0.0, 1.0)
    assert np.isnan(value(after("connect_four", *columns[:9]), 0))
    assert value(after("connect_four", *columns), 0) in (-1.0, 0.0, 1.0)


def test_smaller_boards_have_no_opening_values_and_fewer_cells() -> None:
    solver = exact("connect_four(rows=4,columns=5)")
    assert solver.quick(solver.new_state())
    assert not exact("connect_four(rows=5,columns=6)").quick(solver.new_state())


@pytest.mark.parametrize("game", ["chess", "gym/CartPole-v1"])
def test_games_that_cant_be_solved_have_no_values(game: str) -> None:
    assert exact_values(game) is None
