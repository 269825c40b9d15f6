"""A stopwatch with laps: where the time of a loop goes."""

from __future__ import annotations

from time import perf_counter_ns


class Stopwatch:
    """Nanoseconds of wall clock, lap by lap."""

    _since = 0

    def start(self) -> None:
        """Begin a lap; what passed since the last one counts for nothing."""
        self._since = perf_counter_ns()

    def lap(self) -> int:
        """Nanoseconds since the start or the last lap; the next one begins."""
        before, self._since = self._since, perf_counter_ns()
        return self._since - before
