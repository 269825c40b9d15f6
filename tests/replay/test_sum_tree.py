"""The tree of priorities against a plain list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero.replay.sum_tree import SumTree, _draw

PRIORITY = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@st.composite
def changes(draw: st.DrawFn) -> tuple[int, list[tuple[list[int], list[float]]]]:
    """A capacity, and updates of some places each."""
    capacity = draw(st.integers(1, 33))
    place = st.integers(0, capacity - 1)
    pairs = st.lists(st.tuples(place, PRIORITY), min_size=1, max_size=8)
    updates = [([p for p, _ in one], [v for _, v in one]) for one in draw(st.lists(pairs, min_size=1, max_size=12))]
    return capacity, updates


@given(changes(), st.floats(0.0, 1.0, exclude_max=True))
@settings(max_examples=150, deadline=None)
def test_a_draw_is_that_of_a_plain_list(case: tuple[int, list[tuple[list[int], list[float]]]], share: float) -> None:
    capacity, updates = case
    tree, plain = SumTree(capacity), np.zeros(capacity)
    for places, values in updates:
        tree.update(np.array(places), np.array(values))
        for place, value in zip(places, values, strict=True):
            plain[place] = value
    assert (tree.get(np.arange(capacity)) == plain).all()
    assert tree.total == pytest.approx(plain.sum())
    if plain.sum() == 0.0:
        return
    mass = share * tree.total
    found = int(_draw(tree.tree, tree.leaves, np.array([mass]))[0])
    assert 0 <= found < capacity
    assert plain[found] > 0.0, "nothing of priority 0 is drawn"
    before, slack = plain[:found].sum(), 1e-9 * tree.total
    assert before - slack <= mass <= before + plain[found] + slack


def test_draws_are_in_proportion_and_spread() -> None:
    tree = SumTree(5)
    tree.update(np.arange(5), np.array([1.0, 0.0, 2.0, 5.0, 2.0]))
    counts = np.bincount(tree.draw(1000, np.random.default_rng(0)), minlength=5)
    # One draw from each of 1000 equal shares: no count can be off by more than 2.
    assert np.abs(counts - np.array([100, 0, 200, 500, 200])).max() <= 2


def test_refusals() -> None:
    tree = SumTree(3)
    with pytest.raises(ValueError, match="nothing to sample"):
        tree.draw(1, np.random.default_rng(0))
    for bad in (np.nan, np.inf, -1.0):
        with pytest.raises(ValueError, match="expected finite numbers of 0 or more"):
            tree.update(np.array([0, 1]), np.array([1.0, bad]))
    assert tree.total == 0.0, "a refused update changes nothing"
