"""The training loop with actors: what the thread that draws ahead must not meet, and what becomes of its failures."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import TINY, last, tiny

from muzero.config import Config
from muzero.replay import prefetch
from muzero.replay.buffer import Replay
from muzero.storage import checkpoint, metrics
from muzero.training import loop
from muzero.view.progress import Progress

torch.set_num_threads(1)


def busy(**settings: Any) -> Config:
    """With one actor, priorities and reanalysis."""
    return tiny(**{"train__actors": 1, "train__log_seconds": 0.0, "train__steps": 12, "replay__prioritized": True,
                   "learner__reanalyse_fraction": 0.5, "learner__reanalyse_batch": 8, **settings})


def test_nothing_changes_the_replay_while_a_batch_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = threading.Event()
    threads: set[str] = set()
    draw = prefetch.draw

    def slow(*args: Any) -> Any:
        drawing.set()
        threads.add(threading.current_thread().name)
        time.sleep(0.01)
        batch = draw(*args)
        drawing.clear()
        return batch

    monkeypatch.setattr(prefetch, "draw", slow)
    changes: Counter[str] = Counter()

    def watched(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def alone(self: Replay, *args: Any) -> Any:
            assert not drawing.is_set()
            changes[name] += 1
            return change(self, *args)

        return alone

    for name in ("add", "set_priorities", "renew", "arrays"):
        monkeypatch.setattr(Replay, name, watched(name, getattr(Replay, name)))
    shown: list[Progress] = []
    assert loop.run(busy(), tmp_path, report=shown.append) == 0
    assert changes.keys() == {"add", "set_priorities", "renew", "arrays"}
    assert changes["set_priorities"] == 12
    assert {name.partition("_")[0] for name in threads} == {"MainThread", "batches"}
    assert max(progress.replay_ratio for progress in shown) <= TINY.learner.replay_ratio
    assert any(progress.data_wait > 0.0 for progress in shown)
    assert any(progress.reanalysed > 0.0 for progress in shown)
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())
    records = metrics.read(tmp_path)
    assert all({"run/data_wait", "run/reanalysed"} <= record.keys() for record in records)
    # The batch that was drawn ahead of the last step is no sample learned from.
    stored = checkpoint.load(last(tmp_path))
    assert stored.state["drawn"] == 12 * 16


def test_a_batch_that_can_not_be_drawn_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = prefetch.draw
    calls: list[str] = []

    def failing(*args: Any) -> Any:
        calls.append(threading.current_thread().name)
        if len(calls) > 3 and calls[-1].startswith("batches"):
            raise ArithmeticError("no such place")
        return draw(*args)

    monkeypatch.setattr(prefetch, "draw", failing)
    with pytest.raises(ArithmeticError, match="no such place"):
        loop.run(busy(train__steps=10**6), tmp_path)
    assert multiprocessing.active_children() == []
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())


def test_in_one_process_nothing_is_drawn_ahead(tmp_path: Path) -> None:
    run = loop.Run(TINY, tmp_path)
    while run.state.learner.steps < 4:
        run.advance()
        assert run.state.batches.begun == 0
        assert run.state.batches.take() is None
