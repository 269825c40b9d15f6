"""The clock of a training: seconds of the wall or of CPU time that were spent on training alone."""

from __future__ import annotations

import time


class TrainingClock:
    """Counts only between `start` and `stop`, and what earlier parts of the run took.

    kind: "cpu" for CPU time of this process, else the wall's.
    """

    def __init__(self, kind: str) -> None:
        self.read = time.process_time if kind == "cpu" else time.monotonic
        self.before = 0.0
        """Seconds of earlier parts of the run."""
        self.started: float | None = None
        """Reading when training began, None where none is under way."""

    @property
    def elapsed(self) -> float:
        """Seconds of training, earlier parts of the run included."""
        return self.before + (0.0 if self.started is None else self.read() - self.started)

    def start(self) -> None:
        self.started = self.read()

    def stop(self) -> None:
        """What follows is no training."""
        self.before, self.started = self.elapsed, None


class Alarm:
    """Due every so many seconds of the wall, counted from when it was last set."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.set()

    def set(self) -> None:
        """Count from now on."""
        self.since = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() - self.since >= self.seconds
