"""Benchmark of the games only: a batch in lockstep under uniformly random play."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

import games
from muzero.bench.watch import Lap, Watch
from selfplay.actor import draw_legal

PARTS = ("observe", "legal", "step", "reset")


@dataclass(frozen=True)
class GamesRow:
    """One row of results; a step is one move of one game."""

    game: str
    games: int
    steps_per_second: float
    """Per second of wall-clock time."""
    steps_per_cpu_second: float
    games_per_second: float
    """Finished games."""
    shares: dict[str, float]
    """Shares of the wall-clock time, by `PARTS`; `other` is mostly the sampling of moves."""
    seconds: float
    cpu_seconds: float


def measure(game: str, size: int, seconds: float) -> GamesRow:
    """Random play of `size` games in lockstep for `seconds` of wall-clock time. Raises GameError."""
    batch, rng = games.make(game, size, seed=0), np.random.default_rng(0)
    spent, moves, ended = dict.fromkeys(PARTS, 0), 0, 0
    watch, lap = Watch(), Lap(0.0, 0.0)
    while lap.wall < seconds:
        times = [time.perf_counter_ns()]
        batch.observe()
        times.append(time.perf_counter_ns())
        legal = batch.legal()
        times.append(time.perf_counter_ns())
        action = draw_legal(legal, rng)
        drawn = time.perf_counter_ns()
        step = batch.step(action)
        stepped = time.perf_counter_ns()
        over = (step.discount == 0.0) | step.truncated
        if over.any():
            batch.reset(over)
        taken = (times[1] - times[0], times[2] - times[1], stepped - drawn, time.perf_counter_ns() - stepped)
        for name, nanoseconds in zip(PARTS, taken, strict=True):
            spent[name] += nanoseconds
        moves, ended, lap = moves + size, ended + int(over.sum()), watch.read()
    shares = {name: nanoseconds / 1e9 / lap.wall for name, nanoseconds in spent.items()}
    shares["other"] = max(0.0, 1.0 - sum(shares.values()))
    return GamesRow(game=game, games=size, steps_per_second=moves / lap.wall, steps_per_cpu_second=moves / lap.cpu,
                    games_per_second=ended / lap.wall, shares=shares, seconds=lap.wall, cpu_seconds=lap.cpu)
