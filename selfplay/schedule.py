"""Schedules: settings that are step functions of training progress."""

from __future__ import annotations

Schedule = tuple[tuple[float, float], ...]
"""A step function of training progress in [0, 1]: ((from, value), ...); the first `from` is 0."""


def at(schedule: Schedule, progress: float) -> float:
    """The value of a piecewise-constant schedule at `progress` in [0, 1]."""
    value = schedule[0][1]
    for start, candidate in schedule:
        if progress >= start:
            value = candidate
    return value
