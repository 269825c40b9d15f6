"""Symmetries: each game beside its images, move for move."""

from __future__ import annotations

import numpy as np
import pytest

import games
from games.symmetry import Symmetries, symmetries

COUNTS = {
    "amazons(board_size=6)": 2,
    "breakthrough(rows=6,columns=5)": 2,
    "connect_four": 2,
    "connect_four(rows=4,columns=5)": 2,
    "go(board_size=5)": 8,
    "gomoku(size=6)": 8,
    "gomoku(connect=4,dims=3,size=4)": 1,
    "havannah(board_size=3)": 12,
    "hex(board_size=4)": 2,
    "hex(board_size=4,plain_obs_tensor=True)": 2,
    "hex(num_cols=4,num_rows=3)": 2,
    "mnk(m=4,n=3,k=3)": 4,
    "mnk(m=4,n=4,k=3)": 8,
    "othello": 4,
    "tic_tac_toe": 8,
    "y(board_size=5)": 6,
}


def assert_plays_the_same(name: str, table: Symmetries, history: int | None = None) -> None:
    """Row g of the batch plays the image under symmetry g of what row 0 plays."""
    generator = np.random.default_rng(0)
    # Action a of the game becomes the action whose policy entry is taken from a.
    image_of = np.argsort(table.action_index, axis=1)
    for _ in range(4):
        batch = games.make(name, table.count, history=history)
        for _ in range(60):
            seen, legal = batch.observe().reshape(table.count, -1), batch.legal()
            assert (seen == seen[0][table.observation_index]).all()
            assert (legal == legal[0][table.action_index]).all()
            if batch.to_play()[0] == games.NO_PLAYER:
                break
            action = generator.choice(np.flatnonzero(legal[0]))
            step = batch.step(image_of[:, action].astype(np.int32))
            assert (step.reward == step.reward[0]).all()
            assert (step.discount == step.discount[0]).all()


@pytest.mark.parametrize("name", COUNTS)
def test_a_game_and_its_images_play_the_same(name: str) -> None:
    table = symmetries(name)
    spec = games.spec(name)
    assert table.count == COUNTS[name]
    assert table.observation_index.dtype == table.action_index.dtype == np.int32
    assert table.observation_index.shape == (table.count, int(np.prod(spec.observation_shape)))
    assert table.action_index.shape == (table.count, spec.num_actions)
    assert_plays_the_same(name, table)


@pytest.mark.parametrize("name", ["tic_tac_toe", "go(board_size=4)", "hex(board_size=3)", "othello"])
def test_symmetries_hold_for_stacked_positions(name: str) -> None:
    assert_plays_the_same(name, symmetries(name, history=3), history=3)


@pytest.mark.parametrize("name", COUNTS)
def test_tables_are_distinct_permutations_that_begin_with_the_identity(name: str) -> None:
    table = symmetries(name)
    for index in (table.observation_index, table.action_index):
        entries = np.arange(index.shape[1])
        assert (index[0] == entries).all()
        assert (np.sort(index, axis=1) == entries).all()
    assert len(np.unique(table.action_index, axis=0)) == table.count


def test_a_wrong_symmetry_is_found() -> None:
    right = symmetries("connect_four")
    wrong = Symmetries(right.observation_index, right.action_index[[0, 0]])
    with pytest.raises(AssertionError):
        assert_plays_the_same("connect_four", wrong)


def test_catch_is_mirrored() -> None:
    """Chance draws the column, so the positions are set instead of played."""
    table = symmetries("catch")
    assert table.count == 2
    assert table.action_index.tolist() == [[0, 1, 2], [2, 1, 0]]
    batch = games.make("catch", 2)
    for column in range(5):
        for moves in ([], [0], [0, 0], [2, 2, 0], [1, 2]):
            batch.set_history(0, [column, *moves])  # type: ignore[attr-defined]
            batch.set_history(1, [4 - column, *(2 - move for move in moves)])  # type: ignore[attr-defined]
            seen = batch.observe().reshape(2, -1)
            assert (seen == seen[0][table.observation_index]).all()


@pytest.mark.parametrize(
    "name", ["chess", "2048", "nim", "go(handicap=2)", "games.examples.subtraction:Subtraction"]
)
def test_other_games_have_the_identity_only(name: str) -> None:
    table = symmetries(name)
    assert table.count == 1
    assert (table.action_index[0] == np.arange(table.action_index.shape[1])).all()
