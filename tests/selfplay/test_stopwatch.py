"""The stopwatch: laps follow each other, and a start leaves out what was before it."""

from __future__ import annotations

import pytest

from selfplay import stopwatch
from selfplay.stopwatch import Stopwatch


def test_laps_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([100, 130, 137, 1_000, 1_001])
    monkeypatch.setattr(stopwatch, "perf_counter_ns", lambda: next(readings))
    watch = Stopwatch()
    watch.start()
    assert [watch.lap(), watch.lap()] == [30, 7]
    watch.start()
    assert watch.lap() == 1
