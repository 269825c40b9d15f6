"""Batches drawn in the background: the same ones, and nothing is lost when a draw fails."""

from __future__ import annotations

import dataclasses
import threading
import traceback
from typing import Any

import numpy as np
import pytest
from tiny_replay import replay

from muzero.config import LearnerConfig
from muzero.replay import prefetch
from muzero.replay.batch import Batch
from muzero.replay.prefetch import Batches
from muzero.replay.sampling import DrawConfig

DRAW = DrawConfig.of(LearnerConfig(), unroll=2, later_obs=1)
WAIT = 30.0
"""Seconds after which something that should happen counts as not happening."""


def batches(seed: int = 0) -> Batches:
    return Batches(replay(), DRAW, np.random.default_rng(seed))


def same(one: Batch, other: Batch) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name))
               for field in dataclasses.fields(Batch))


def test_a_batch_drawn_ahead_is_the_one_drawn_here() -> None:
    here, ahead = batches(), batches()
    assert ahead.take() is None
    for size in (4, 4, 9):
        ahead.begin(size)
        assert ahead.begun == size
        found = ahead.take()
        assert found is not None
        assert same(found, here.draw(size))
        assert ahead.begun == 0
    assert ahead.take() is None
    ahead.close()


def test_rest_waits_until_the_draw_is_done_and_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    held, go, done = batches(), threading.Event(), threading.Event()
    draw = prefetch.draw

    def slow(*args: Any) -> Batch:
        assert go.wait(WAIT)
        batch = draw(*args)
        done.set()
        return batch

    monkeypatch.setattr(prefetch, "draw", slow)
    held.begin(4)
    assert held.waited == 0.0
    threading.Timer(0.05, go.set).start()
    held.rest()
    assert done.is_set()
    assert held.waited > 0.0
    waited = held.waited
    held.rest()
    assert held.take() is not None
    assert held.waited == waited, "it was there"
    held.close()


def test_a_draw_that_fails_is_told_where_its_batch_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    held = batches()

    def broken_draw(*_: Any) -> Batch:
        raise ArithmeticError("no such place")

    with monkeypatch.context() as patched:
        patched.setattr(prefetch, "draw", broken_draw)
        held.begin(4)
        held.rest()
    with pytest.raises(ArithmeticError, match="no such place") as error:
        held.take()
    assert "broken_draw" in "".join(traceback.format_exception(error.value))
    held.begin(4)
    assert held.take() is not None, "the next one is not affected"
    held.close()


def test_closing_ends_the_thread() -> None:
    held, before = batches(), threading.active_count()
    held.begin(4)
    held.close()
    assert threading.active_count() <= before
    batches().close()
