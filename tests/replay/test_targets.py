"""Targets against a plain twin, and the cases that go wrong silently: signs, ends, cuts, off-by-one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero.replay.targets import Moves, Targets, fill_targets, value_target


@dataclass(frozen=True)
class Game:
    reward: list[float]
    discount: list[float]
    root_value: list[float]
    exploratory: list[bool]
    searched: list[bool] = dataclasses.field(default_factory=lambda: [True] * 20)


def plain_value(game: Game, start: int, td_steps: int, gamma: float) -> float | None:
    """The definition, read aloud: walk on until the end, or a search after a random move or n moves. None = unknown."""
    if start >= len(game.reward):
        return 0.0 if game.discount[-1] == 0 else None
    if game.searched[start] and (td_steps <= 0 or game.exploratory[start]):
        return game.root_value[start]
    rest = plain_value(game, start + 1, td_steps - 1, gamma)
    return None if rest is None else game.reward[start] + gamma * game.discount[start] * rest


def ring(game: Game, offset: int, capacity: int) -> Moves:
    length = len(game.reward)
    places = (offset + np.arange(length)) % capacity
    out = {
        "left": np.zeros(capacity, np.int32), "action": np.zeros(capacity, np.int32),
        "reward": np.full(capacity, 99.0, np.float32), "discount": np.full(capacity, 99.0, np.float32),
        "root_value": np.full(capacity, 99.0, np.float32), "searched": np.zeros(capacity, np.bool_),
        "exploratory": np.zeros(capacity, np.bool_),
    }
    out["left"][places] = np.arange(length, 0, -1)
    out["action"][places] = np.arange(length) + 100
    for name in ("reward", "discount", "root_value", "searched", "exploratory"):
        out[name][places] = getattr(game, name)[:length]
    return Moves(**out)


@st.composite
def games(draw: st.DrawFn) -> Game:
    length = draw(st.integers(1, 9))
    number = st.floats(-2, 2, width=16)
    signs = draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=length, max_size=length))
    ended = draw(st.booleans())
    return Game(
        draw(st.lists(number, min_size=length, max_size=length)), [*signs[:-1], 0.0 if ended else signs[-1]],
        draw(st.lists(number, min_size=length, max_size=length)),
        draw(st.lists(st.booleans(), min_size=length, max_size=length)),
        draw(st.lists(st.booleans(), min_size=length, max_size=length)))


@given(games(), st.integers(0, 11), st.integers(1, 12), st.sampled_from([1.0, 0.9]))
@settings(max_examples=150, deadline=None)
def test_value_target_is_its_definition(game: Game, offset: int, td_steps: int, gamma: float) -> None:
    moves = ring(game, offset, 12)
    for start in range(len(game.reward)):
        found, known = value_target((offset + start) % 12, moves, td_steps, gamma)
        wanted = plain_value(game, start, td_steps, gamma)
        assert known == (wanted is not None)
        assert wanted is None or found == pytest.approx(wanted, abs=1e-5)


def fill(game: Game, starts: list[int], unroll: int = 3, td_steps: int = 100) -> Targets:
    targets = Targets.empty(np.full((len(starts), unroll), -7, np.int64))
    fill_targets(np.array(starts), ring(game, 0, 16), np.full(len(starts), td_steps), 1.0, targets)
    return targets


def test_alternating_win_has_alternating_values() -> None:
    """The last mover wins: +1 for him at his last position, -1 for the other one ply before."""
    game = Game([0, 0, 0, 1], [-1, -1, -1, 0], [9.0] * 4, [False] * 4)
    out = fill(game, [0, 1, 2, 3])
    assert out.value[:, 0].tolist() == [-1, 1, -1, 1]
    assert out.value[0].tolist() == [-1, 1, -1, 1]
    assert out.reward[1].tolist() == [0, 0, 1]
    assert out.next_mover[1].tolist() == [2, 2, 0]
    assert out.action[1].tolist() == [101, 102, 103]


def test_steps_past_the_end_are_absorbing() -> None:
    game = Game([0, 1], [-1, 0], [9.0] * 2, [False] * 2)
    out = fill(game, [1])
    assert out.action[0].tolist() == [101, -7, -7], "random actions given by the caller stay past the end"
    assert out.reward[0].tolist() == [1, 0, 0]
    assert out.value[0].tolist() == [1, 0, 0, 0]
    assert out.in_game[0].tolist() == [True, False, False, False]
    assert out.value_mask[0].tolist() == [True] * 4


def test_steps_past_a_cut_are_not_trained() -> None:
    """A time limit: the last search value stands for the rest, and nothing is known after it."""
    game = Game([1, 1], [1, 1], [5.0, 6.0], [False, True])
    out = fill(game, [0, 1])
    assert out.value[:, 0].tolist() == [7, 6]
    assert out.value_mask.tolist() == [[True, True, False, False], [True, False, False, False]]


def test_a_cut_that_was_never_searched_has_no_value() -> None:
    """Random moves of a warm-up, cut by the limit: rewards are facts, the value of what was left is not."""
    game = Game([1, 1, 1], [1, 1, 1], [0.0] * 3, [False, False, True], [True, False, False])
    out = fill(game, [0, 1], td_steps=1)
    assert out.value_mask[:, 0].tolist() == [False, False]
    assert out.reward[0].tolist() == [1, 1, 1]


def test_no_bootstrap_where_nothing_was_searched() -> None:
    game = Game([1, 1, 1], [1, 1, 0], [5.0] * 3, [False] * 3, [False, False, True])
    assert fill(game, [0], td_steps=1).value[0, 0] == 7, "on to the next search, not a value of 0 after one move"


def test_same_player_moves_twice() -> None:
    game = Game([0, 0, 1], [1, -1, 0], [9.0] * 3, [False] * 3)
    out = fill(game, [0])
    assert out.value[0, :3].tolist() == [-1, -1, 1]
    assert out.next_mover[0].tolist() == [1, 2, 0]


def test_random_move_cuts_the_target_for_everyone_before_it() -> None:
    game = Game([0, 0, 0, 1], [-1, -1, -1, 0], [0.1, 0.2, 0.3, 0.4], [False, True, False, False])
    assert fill(game, [0, 1, 2]).value[:, 0].tolist() == pytest.approx([-0.2, 0.2, -1])
