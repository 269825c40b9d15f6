"""Speed of self-play of one actor with an untrained network, and where its time goes.

The network's weights don't matter for its speed. Before anything is counted the games are spread over all their
moves, as they are in a long run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

import games
from muzero.bench.memory import peak_bytes
from muzero.bench.watch import Lap, Watch
from muzero.config import Config, check_resolved
from muzero.device.select import device_of
from muzero.training.actors import make_actor, selfplay_network, selfplay_planner

PROGRESS = 1.0
"""Of the training, where schedules are read: the search at its full size."""
SPREAD = 20
"""Random moves made at first, at most."""
ROUNDS = 3
PARTS = ("network", "tree", "copies", "games", "recording")


@dataclass(frozen=True)
class SelfPlayRow:
    """One line: rates a second of wall clock unless they say otherwise."""

    device: str
    precision: str
    games: int
    threads: int
    """Of the tree."""
    simulations: int
    """Of one move."""
    simulations_per_second: float
    simulations_per_cpu_second: float
    evaluations_per_second: float
    """Positions that went through the network, roots included."""
    moves_per_second: float
    games_per_second: float
    """Games that ended."""
    batch_fill: float
    """Leaves that needed the network, as a share of trees x simulations."""
    shares: dict[str, float]
    """Of the wall clock by `PARTS` and `other`. On CUDA network is the time waited for it, copies the launches."""
    move_milliseconds: float
    """Wall clock of one move of all games."""
    seconds: float
    cpu_seconds: float
    tree_bytes: int
    latent_bytes: int
    recorder_bytes: int
    peak_rss_bytes: int
    """Of the whole process so far."""

    def rate(self) -> float:
        """What rows of one device are compared by: work done for a second of what is scarce there."""
        return self.simulations_per_cpu_second if self.device == "cpu" else self.simulations_per_second


@dataclass(frozen=True)
class Count:
    """What an actor has done so far, and its time by part in seconds."""

    moves: int
    games: int
    simulations: int
    leaves: int
    spent: dict[str, float]

    def since(self, before: Count) -> Count:
        spent = {name: value - before.spent[name] for name, value in self.spent.items()}
        return Count(self.moves - before.moves, self.games - before.games, self.simulations - before.simulations,
                     self.leaves - before.leaves, spent)


class SelfPlay:
    """One actor of a run, ready to be measured."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError for a config that still leaves numbers to the machine."""
        check_resolved(config)
        self.config, self.device = config, device_of(config.train.device)
        torch.set_num_threads(config.train.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.train.seed)
            self.planner = selfplay_planner(selfplay_network(config), config)
        self.actor = make_actor(config, 0)
        for _ in range(min(SPREAD, games.spec(config.game).max_length // 2)):
            self.actor.play(None, PROGRESS)

    def play(self) -> None:
        """One searched move in every game."""
        self.actor.play(self.planner, PROGRESS)

    def count(self) -> Count:
        """All that was done until now."""
        search, actor, done = self.planner.spent, self.actor.spent, self.actor.counters
        nanoseconds = {"network": search.network, "tree": search.tree, "copies": search.copies, "games": actor.games,
                       "recording": actor.recording}
        return Count(done.moves, done.games, done.simulations, search.leaves,
                     {name: nanoseconds[name] / 1e9 for name in PARTS})

    def best_rate(self, seconds: float) -> float:
        """Simulations a second of CPU time (on CUDA of wall clock) in the best of some moves: one, and more until
        `seconds` of wall clock are over."""
        best, whole = 0.0, Watch()
        while best == 0.0 or whole.read().wall < seconds:
            before, watch = self.actor.counters.simulations, Watch(self.device)
            self.play()
            lap = watch.read()
            done = self.actor.counters.simulations - before
            best = max(best, done / (lap.cpu if self.device.type == "cpu" else lap.wall))
        return best

    def measure(self, seconds: float) -> SelfPlayRow:
        """Moves for at least `seconds` of wall clock, after one that reserves everything."""
        self.play()
        before, watch = self.count(), Watch(self.device)
        lap = Lap(0.0, 0.0)
        while lap.wall < seconds:
            self.play()
            lap = watch.read()
        return self._row(self.count().since(before), lap)

    def _row(self, done: Count, lap: Lap) -> SelfPlayRow:
        shares = {name: value / lap.wall for name, value in done.spent.items()}
        shares["other"] = max(0.0, 1.0 - sum(shares.values()))
        trees, latents = self.planner.memory_bytes
        return SelfPlayRow(
            device=self.device.type, precision=str(self.planner.model.dtype).removeprefix("torch."),
            games=self.config.selfplay.games, threads=self.config.search.threads,
            simulations=done.simulations // done.moves, simulations_per_second=done.simulations / lap.wall,
            simulations_per_cpu_second=done.simulations / lap.cpu,
            evaluations_per_second=(done.leaves + done.moves) / lap.wall, moves_per_second=done.moves / lap.wall,
            games_per_second=done.games / lap.wall, batch_fill=done.leaves / done.simulations, shares=shares,
            move_milliseconds=1e3 * lap.wall * self.config.selfplay.games / done.moves,
            seconds=lap.wall, cpu_seconds=lap.cpu, tree_bytes=trees, latent_bytes=latents,
            recorder_bytes=sum(column.nbytes for column in self.actor.recorder.columns.values()),
            peak_rss_bytes=peak_bytes())


def in_turns(configs: Sequence[Config], seconds: float) -> list[SelfPlayRow]:
    """A row for each config: the best of some rounds, taken in turns, so that other work on the machine hits all alike.

    On CUDA there is one round: nobody else is on a GPU, and every new actor records its work anew.
    """
    rounds = 1 if any(device_of(config.train.device).type == "cuda" for config in configs) else ROUNDS
    best: dict[int, SelfPlayRow] = {}
    for _ in range(rounds):
        for index, config in enumerate(configs):
            row = SelfPlay(config).measure(seconds / rounds)
            if index not in best or row.rate() > best[index].rate():
                best[index] = row
    return [best[index] for index in range(len(configs))]


def smallest_near_best(rates: dict[int, float], near: float) -> int:
    """The smallest number of games whose rate is at least `near` times the best one."""
    best = max(rates.values())
    return min(number for number, rate in rates.items() if rate >= near * best)
