"""Searching stored positions again: which ones, how many, and that nothing else changes."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_replay import game, replay

from muzero.config import Config, ModelConfig
from muzero.config import replace as overridden
from muzero.model.build import build_model
from muzero.replay.sampling import DrawConfig, batch_at
from muzero.search.tree import TreeSearch
from muzero.training.reanalyse import DEBT_LIMIT, Reanalyser

torch.set_num_threads(1)
BASE = overridden(Config(model=ModelConfig(width=8, hidden=8)), {
    "learner.reanalyse_fraction": 0.5, "learner.reanalyse_batch": 10, "train.device": "cpu", "search.simulations": 8})


def reanalyser(**settings: Any) -> Reanalyser:
    found = Reanalyser(overridden(BASE, {f"learner.{name}": value for name, value in settings.items()}))
    torch.manual_seed(1)
    model = build_model(BASE)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    found.load(model.state_dict())
    return found


def test_what_is_owed_is_searched_and_nothing_else_changes() -> None:
    held, again, rng = replay(), reanalyser(), np.random.default_rng(0)
    before = {name: ring.copy() for name, ring in held.rings.items()}
    places = np.arange(10)
    seeds = copy.deepcopy(rng).integers(0, 2**63, 10, dtype=np.uint64)
    direct = TreeSearch(BASE.search, 9, 10).run(again.model, before["obs"][places], before["legal"][places], seeds)
    again.owe(19)
    assert again.pay(held, rng) == 0, "9.5 are less than a batch"
    assert all(np.array_equal(ring, before[name]) for name, ring in held.rings.items())
    again.owe(1)
    assert again.pay(held, rng) == 10
    assert again.debt == 0.0
    assert np.array_equal(held.rings["root_value"][places], direct.value)
    assert np.array_equal(held.rings["policy"][places], direct.policy.astype(np.float16))
    assert held.rings["searched"][places].all()
    for name, ring in held.rings.items():
        assert np.array_equal(ring[10:], before[name][10:])
        if name not in ("policy", "root_value", "searched"):
            assert np.array_equal(ring, before[name])


def test_a_position_that_nobody_searched_has_a_policy_afterwards() -> None:
    held, again = replay(), reanalyser()
    drawing = DrawConfig.of(BASE.learner, BASE.unroll, 0)
    places, ones = np.arange(10), np.ones(10, np.float32)
    assert not batch_at(held, places, ones, drawing, np.random.default_rng(0)).policy_mask.any()
    again.owe(20)
    again.pay(held, np.random.default_rng(0))
    batch = batch_at(held, places, ones, drawing, np.random.default_rng(0))
    assert batch.policy_mask[:, 0].all()
    assert batch.policy[:, 0].sum(1) == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 1.0])
def test_searches_keep_their_share_of_the_samples(fraction: float) -> None:
    held, again, rng = replay(), reanalyser(reanalyse_fraction=fraction), np.random.default_rng(0)
    searched = samples = 0
    for size in (3, 64, 1, 7, 20, 9):
        again.owe(size)
        samples += size
        searched += again.pay(held, rng)
        assert searched + again.debt == fraction * samples
        assert 0.0 <= again.debt < 10.0


def test_the_cursor_walks_from_the_oldest_to_the_newest_and_again() -> None:
    held, again = replay(number=6), reanalyser(reanalyse_batch=8)
    total = len(held)
    assert total % 8 != 0
    walked = np.concatenate([again.places(held) for _ in range(2 * total)])
    assert walked.tolist() == [place % total for place in range(8 * 2 * total)]


def test_the_cursor_follows_the_ring() -> None:
    """New games are reached in their turn; what was overwritten before its turn is passed over."""
    held, again = replay(number=0, capacity=40), reanalyser(reanalyse_batch=8)
    numbers: list[int] = []
    for seed in range(60):
        held.add(game(seed))
        if len(held) < 8:
            continue
        oldest, old = held.added - len(held), again.cursor
        places = again.places(held)
        wanted = old if oldest <= old < held.added else oldest
        assert places[0] == wanted % 40
        assert len(set(places.tolist())) == 8
        numbers.append(wanted)
    assert any(after < before for before, after in itertools.pairwise(numbers)), "it began again"
    assert numbers[-1] > 100


def test_only_positions_that_can_be_drawn_are_searched() -> None:
    held, again = replay(window_fraction=0.2, min_window=6), reanalyser()
    window = held.window
    assert 6 <= window < len(held) - 6
    newest = {int(place) for place in (held.added - np.arange(1, window + 1)) % 100}
    found = {place for _ in range(5) for place in again.places(held).tolist()}
    assert found == newest
    small = reanalyser(reanalyse_batch=window + 9)
    assert sorted(small.places(held).tolist()) == sorted(newest), "each once, though more are owed"


def test_a_restored_reanalyser_goes_on_where_it_stood() -> None:
    held, first, second = replay(), reanalyser(), reanalyser()
    first.owe(57)
    first.pay(held, np.random.default_rng(0))
    second.restore(first.snapshot())
    assert (second.cursor, second.debt) == (first.cursor, first.debt) == (20, 8.5)
    assert np.array_equal(first.places(held), second.places(held))


@pytest.mark.parametrize("state", [
    {"cursor": -1, "debt": 0.0}, {"cursor": 1.5, "debt": 0.0}, {"cursor": 0, "debt": math.nan},
    {"cursor": 0, "debt": -1.0}, {"cursor": 0, "debt": 2 * DEBT_LIMIT}, {"cursor": 0, "debt": "1"}])
def test_impossible_standings_are_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected .*, got"):
        reanalyser().restore(state)
