"""Solved positions of Connect Four for tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from selfplay.strength.positions import PositionSet, read

FILE = Path(__file__).parents[1] / "benchmarks" / "data" / "connect_four_positions.csv"


def first(count: int) -> PositionSet:
    """The first `count` of the package's solved positions."""
    every = read(FILE, "connect_four")
    return dataclasses.replace(every, histories=every.histories[:count], scores=every.scores[:count])
