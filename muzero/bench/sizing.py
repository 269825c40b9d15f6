"""Automatic sizes of a run, measured on this machine: games in lockstep, self-play processes, tree threads.

A larger batch makes the network more efficient up to a point, but more games in lockstep make the replay staler: a run
takes the smallest number of games that is about as fast as any.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

import games
from games.base import GameSpec
from games.machine import cores
from muzero.bench.memory import free_bytes, selfplay_bytes
from muzero.bench.selfplay import SelfPlay, smallest_near_best
from muzero.bench.watch import Watch
from muzero.config import AUTO, Config, check_resolved, replace, unresolved
from muzero.device.select import device_of
from muzero.presets import survey
from selfplay.trajectory import unfinished_bytes

CANDIDATES = {"cpu": (64, 128, 192, 256, 384, 512), "cuda": (256, 512, 1024, 2048, 4096, 8192)}
"""Numbers of games to try."""
NEAR = 0.95
"""A number of games is fast enough at this fraction of the best rate."""
EACH_SECONDS = 0.3
ALL_SECONDS = 3.0
"""Seconds for one candidate, and seconds after which no more are started."""
ROUNDS = 2
UNMEASURED = 128
"""Number of games when nothing is measured, if they fit."""
LEAST = 4
WINDOW_SHARE = 30
"""The unfinished games are at most 1 / this of the replay window."""
GAMES_BYTES = 256 * 2**20
"""Most memory for the unfinished games of an actor."""
MEMORY_SHARE = 0.25
"""Fraction of the free memory for all actors' trees, latents and games."""
MOST_ACTORS = 256
MOST_THREADS = 8


@dataclass(frozen=True)
class Measured:
    """One candidate."""

    games: int
    simulations_per_second: float
    """Of a single self-play process; on a CPU, per second of CPU time."""


@dataclass(frozen=True)
class Sizing:
    """How the number of games was chosen."""

    games: int
    device: str
    most: int
    """More games would not fit in memory, or would make the replay stale."""
    measured: tuple[Measured, ...]
    """Empty if nothing was measured."""


def resolve(config: Config, stored: Config | None = None) -> tuple[Config, Sizing | None]:
    """`config` with a number in place of every automatic size, and how the games were chosen if they were measured.

    stored: the config of the run being resumed, whose number of games is kept. Raises ConfigError for a stored config
    without one.
    """
    settled = settle(config, stored)
    if settled.selfplay.games != AUTO["selfplay.games"]:
        return settled, None
    if stored is not None:
        kept = replace(settled, {"selfplay.games": stored.selfplay.games})
        check_resolved(kept)
        return kept, None
    if settled.train.actors == 0:
        # A run in one process is determined by its seed, on any machine.
        return replace(settled, {"selfplay.games": unmeasured_games(settled)}), None
    sizing = best_games(settled)
    return replace(settled, {"selfplay.games": sizing.games}), sizing


def settle(config: Config, stored: Config | None = None) -> Config:
    """`config` with all automatic sizes that don't depend on the machine's speed: those chosen for the game, processes
    by the number of cores, threads for a tree search that would keep a GPU waiting.

    stored: as for `resolve`.
    """
    config, _ = survey.settle(config, stored)
    on_gpu = device_of(config.train.device).type == "cuda"
    chosen = {
        "train.actors": 1 if on_gpu else min(MOST_ACTORS, cores()),
        "search.threads": max(1, min(MOST_THREADS, cores() // 2)) if on_gpu else 1,
    }
    left = unresolved(config)
    return replace(config, {name: number for name, number in chosen.items() if name in left})


def most_games(config: Config, spec: GameSpec) -> int:
    """Most games an actor may have unfinished: they fit in memory, and all actors' games keep the replay window fresh.
    """
    moves = min(config.selfplay.max_moves, config.selfplay.part_moves or spec.max_length, spec.max_length)
    fit = GAMES_BYTES // (moves * unfinished_bytes(spec))
    window = max(config.replay.min_window, math.floor(config.replay.window_fraction * config.replay.capacity))
    fresh = window // (WINDOW_SHARE * max(1, config.train.actors))
    return max(LEAST, min(fit, fresh))


def unmeasured_games(config: Config) -> int:
    """Number of games when nothing may be measured: a power of two, the same on every machine."""
    most = min(UNMEASURED, most_games(config, games.spec(config.game)))
    return 1 << (most.bit_length() - 1)


def fitting(config: Config, candidates: Sequence[int] | None = None) -> list[int]:
    """The feasible candidates, smallest first; if none is, the smallest of all, or as many games as fit."""
    most = most_games(config, games.spec(config.game))
    tried = sorted(candidates or CANDIDATES[device_of(config.train.device).type])
    some = [number for number in tried if number <= most and _fits(replace(config, {"selfplay.games": number}))]
    return some or [min(tried[0], 1 << (most.bit_length() - 1))]


def _fits(config: Config) -> bool:
    """True if all actors together take only a small part of the free memory."""
    taken = selfplay_bytes(config)
    return all(max(1, config.train.actors) * size <= MEMORY_SHARE * free_bytes(device)
               for device, size in taken.items())


def best_games(config: Config, candidates: Sequence[int] | None = None) -> Sizing:
    """The smallest number of games that fits and is nearly as fast as the best; measured in about three seconds.

    config: resolved except for `selfplay.games`. Leaves random states unchanged.
    """
    device = device_of(config.train.device).type
    most = most_games(config, games.spec(config.game))
    tried = fitting(config, candidates)
    if len(tried) == 1:
        return Sizing(tried[0], device, most, ())
    threads = torch.get_num_threads()
    try:
        measured = _measure(config, tried)
    finally:
        torch.set_num_threads(threads)
    rates = {one.games: one.simulations_per_second for one in measured}
    return Sizing(smallest_near_best(rates, NEAR), device, most, tuple(measured))


def _measure(config: Config, candidates: Sequence[int]) -> list[Measured]:
    """The best rate of each candidate, interleaved, so that other load on the machine affects all alike. Stops when the
    time is up. Uses as many simulations as all can afford."""
    start, actors, best = time.monotonic(), dict[int, SelfPlay](), dict[int, float]()
    simulations = _affordable_here(config, candidates)
    for _ in range(ROUNDS):
        for number in candidates:
            if len(best) > 1 and time.monotonic() - start > ALL_SECONDS:
                break
            if number not in actors:
                actors[number] = _probe(config, number, simulations)
                actors[number].play()
            best[number] = max(best.get(number, 0.0), actors[number].best_rate(EACH_SECONDS / ROUNDS))
    return [Measured(number, rate) for number, rate in best.items()]


def _affordable_here(config: Config, candidates: Sequence[int]) -> int:
    """How many simulations are affordable, from one short move with the fewest games."""
    number, simulations = min(candidates), min(4, config.search.simulations)
    actor = _probe(config, number, simulations)
    actor.play()
    watch = Watch(actor.device)
    actor.play()
    return affordable(config.search.simulations, watch.read().wall / (number * simulations), candidates)


def _probe(config: Config, number: int, simulations: int) -> SelfPlay:
    return SelfPlay(replace(config, {
        "selfplay.games": number, "search.simulations": simulations, "selfplay.simulations_share": [[0.0, 1.0]],
    }))


def affordable(simulations: int, each: float, candidates: Sequence[int]) -> int:
    """Number of simulations, at most `simulations`, with which the moves of all candidates (one to warm up, one per
    round) fit into the time. each: seconds per simulation."""
    return max(1, min(simulations, int(ALL_SECONDS / ((1 + ROUNDS) * each * sum(candidates)))))
