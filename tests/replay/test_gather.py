"""Compiled gathers against plain indexing."""

from __future__ import annotations

import numpy as np
import pytest

from muzero.replay import gather, sum_tree, targets
from muzero.replay.gather import mix_values, rows, transform_actions, transformed_rows

N, B, K, F, G = 11, 5, 3, 4, 3


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def orders(rng: np.random.Generator) -> np.ndarray:
    """[G, F] permutations."""
    return np.stack([rng.permutation(F) for _ in range(G)]).astype(np.int32)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16, np.bool_])
def test_rows_and_transformed_rows(rng: np.random.Generator, dtype: type) -> None:
    ring, places = rng.integers(0, 2, (N, F)).astype(dtype), rng.integers(0, N, (B, K))
    index, chosen = orders(rng), rng.integers(0, G, B)
    out = np.empty((B, K, F), dtype)
    rows(ring, places, out)
    assert (out == ring[places]).all()
    transformed_rows(ring, places, index, chosen, out)
    assert (out == np.stack([ring[places[b]][:, index[chosen[b]]] for b in range(B)])).all()


def test_actions_follow_their_entries(rng: np.random.Generator) -> None:
    """What stood at action b stands, turned, at the action that b becomes."""
    index, chosen, action = orders(rng), rng.integers(0, G, B), rng.integers(0, F, (B, K))
    turned = action.copy()
    transform_actions(turned, index, chosen)
    marks = np.eye(F)[action]
    for b in range(B):
        assert (marks[b][:, index[chosen[b]]].argmax(1) == turned[b]).all()
    assert not (turned == action).all()


def test_values_are_mixed_where_there_was_a_search(rng: np.random.Generator) -> None:
    value, own = rng.normal(size=(B, K)).astype(np.float32), rng.normal(size=N).astype(np.float32)
    places, searched = rng.integers(0, N, (B, K)), rng.random((B, K)) < 0.5
    wanted = np.where(searched, np.float32(0.75) * value + np.float32(0.25) * own[places], value)
    mix_values(value, searched, places, own, np.float32(0.75), np.float32(0.25))
    assert (value == wanted).all()
    assert 0 < searched.sum() < B * K


@pytest.mark.parametrize("loop", [
    gather.rows, gather.transformed_rows, gather.transform_actions, gather.mix_values, targets.fill_targets,
    sum_tree._draw, sum_tree._update], ids=lambda loop: loop.__name__)
def test_no_loop_holds_the_interpreter(loop: object) -> None:
    assert loop.targetoptions["nogil"]  # type: ignore[attr-defined]
