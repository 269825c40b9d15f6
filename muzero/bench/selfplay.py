"""Benchmark of self-play with one actor and an untrained network, and where its time goes.

The network's weights don't affect its speed. Before measuring, the games are advanced to different moves, as in a
long run.
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
"""Training progress at which schedules are read: the search at its full size."""
SPREAD = 20
"""Most random moves played first."""
ROUNDS = 3
PARTS = ("network", "tree", "copies", "games", "recording")


@dataclass(frozen=True)
class SelfPlayRow:
    """One row of results: rates are per second of wall-clock time unless they say otherwise."""

    device: str
    precision: str
    games: int
    threads: int
    """Threads of the tree search."""
    simulations: int
    """Simulations per move."""
    simulations_per_second: float
    simulations_per_cpu_second: float
    evaluations_per_second: float
    """Positions evaluated by the network, roots included."""
    moves_per_second: float
    games_per_second: float
    """Finished games."""
    batch_fill: float
    """Leaves evaluated by the network, as a share of trees x simulations."""
    shares: dict[str, float]
    """Shares of the wall-clock time, by `PARTS` and `other`. On CUDA `network` is the wait for it, `copies` the
    launches."""
    move_milliseconds: float
    """Wall-clock time of one move in all games."""
    seconds: float
    cpu_seconds: float
    tree_bytes: int
    latent_bytes: int
    recorder_bytes: int
    peak_rss_bytes: int
    """Peak of the whole process so far."""

    def rate(self) -> float:
        """The figure for comparing rows of one device: work per second of the scarce resource."""
        return self.simulations_per_cpu_second if self.device == "cpu" else self.simulations_per_second


@dataclass(frozen=True)
class Count:
    """Work done by an actor so far, and its time by part in seconds."""

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
    """A run's actor, ready to be measured."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError for a config with sizes that are still automatic."""
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
        """Play one searched move in every game."""
        self.actor.play(self.planner, PROGRESS)

    def count(self) -> Count:
        """Work done so far."""
        search, actor, done = self.planner.spent, self.actor.spent, self.actor.counters
        nanoseconds = {"network": search.network, "tree": search.tree, "copies": search.copies, "games": actor.games,
                       "recording": actor.recording}
        return Count(done.moves, done.games, done.simulations, search.leaves,
                     {name: nanoseconds[name] / 1e9 for name in PARTS})

    def best_rate(self, seconds: float) -> float:
        """Simulations per second of CPU time (on CUDA, of wall-clock time) in the best move: of one, or of as many as
        fit into `seconds` of wall-clock time."""
        best, whole = 0.0, Watch()
        while best == 0.0 or whole.read().wall < seconds:
            before, watch = self.actor.counters.simulations, Watch(self.device)
            self.play()
            lap = watch.read()
            done = self.actor.counters.simulations - before
            best = max(best, done / (lap.cpu if self.device.type == "cpu" else lap.wall))
        return best

    def measure(self, seconds: float) -> SelfPlayRow:
        """Moves for at least `seconds` of wall-clock time, after a first one that allocates everything."""
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
    """A row for each config: the best of some interleaved rounds, so that other load on the machine affects all alike.

    On CUDA there is one round: a GPU isn't shared, and every new actor captures its graphs again.
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
