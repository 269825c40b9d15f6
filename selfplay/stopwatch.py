"""A lap timer, which tells where the time of a loop goes."""

from __future__ import annotations

from time import perf_counter_ns


class Stopwatch:
    """Nanoseconds of wall-clock time, lap by lap."""

    _since = 0

    def start(self) -> None:
        """Start a lap; the time since the previous lap isn't counted."""
        self._since = perf_counter_ns()

    def lap(self) -> int:
        """Nanoseconds since the start or the previous lap; starts the next one."""
        before, self._since = self._since, perf_counter_ns()
        return self._since - before
