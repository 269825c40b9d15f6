"""The fields of a move, and what a position takes of memory by them."""

from __future__ import annotations

import dataclasses
import math

import pytest

import games
from games.base import GameSpec
from selfplay.recorder import Recorder
from selfplay.trajectory import (
    LEAST_STORED_BYTES,
    MOVE_FIELDS,
    Trajectory,
    move_columns,
    stored_bytes,
    unfinished_bytes,
)

GAMES = ("tic_tac_toe", "connect_four", "catch", "2048", "gym/CartPole-v1", "backgammon")


def taken(spec: GameSpec, *, stored: bool = False) -> int:
    """Bytes of the columns of one move."""
    return sum(column.nbytes for column in move_columns(spec, (1,), stored=stored).values())


def test_the_fields_of_a_move_are_those_of_a_game() -> None:
    names = [field.name for field in dataclasses.fields(Trajectory)]
    assert names == ["obs", *MOVE_FIELDS, "number"]
    assert list(Recorder(games.spec("tic_tac_toe"), 2).columns) == names[:-1]


@pytest.mark.parametrize("name", GAMES)
def test_the_bytes_of_a_position_follow_from_the_fields_of_a_move(name: str) -> None:
    spec = games.spec(name)
    assert stored_bytes(spec) == taken(spec, stored=True) + 4, "with the moves that are left, int32"
    assert stored_bytes(spec) > LEAST_STORED_BYTES
    assert unfinished_bytes(spec) >= taken(spec)
    # Replays and numbers of games were chosen by these numbers.
    assert unfinished_bytes(spec) == 4 * math.prod(spec.observation_shape) + 5 * spec.num_actions + 32
