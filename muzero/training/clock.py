"""The training clock: seconds of wall-clock or CPU time spent only on training."""

from __future__ import annotations

import time


class TrainingClock:
    """Counts the time between `start` and `stop`, plus that of earlier sessions of the run.

    kind: "cpu" for CPU time of this process, otherwise wall-clock time.
    """

    def __init__(self, kind: str) -> None:
        self.read = time.process_time if kind == "cpu" else time.monotonic
        self.before = 0.0
        """Seconds of earlier sessions of the run."""
        self.started: float | None = None
        """Reading when training started, None while stopped."""

    @property
    def elapsed(self) -> float:
        """Seconds of training, including earlier sessions of the run."""
        return self.before + (0.0 if self.started is None else self.read() - self.started)

    def start(self) -> None:
        self.started = self.read()

    def stop(self) -> None:
        """Stop counting."""
        self.before, self.started = self.elapsed, None


class Alarm:
    """Due a number of wall-clock seconds after it was last set."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.set()

    def set(self, least: float = 0.0) -> None:
        """Restart the count; least: seconds until then, if more."""
        self.since, self.wait = time.monotonic(), max(self.seconds, least)

    @property
    def due(self) -> bool:
        return time.monotonic() - self.since >= self.wait
