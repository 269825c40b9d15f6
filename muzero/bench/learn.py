"""Benchmark of the learner only, on a replay buffer of random games, and where a step's time goes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

import games
from games.symmetry import symmetries
from muzero.bench.memory import peak_bytes
from muzero.bench.watch import Lap, Watch
from muzero.config import Config
from muzero.learning.learner import Learner
from muzero.learning.tensors import Tensors
from muzero.learning.update import forward
from muzero.model.auxiliary import later_obs
from muzero.model.build import build_model
from muzero.replay.batch import Batch
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, draw
from selfplay.actor import Actor
from selfplay.trajectory import Trajectory

PROGRESS = 1.0
PLAYED = 4_096
"""Positions of random games played; the replay buffer is filled with copies of them."""
FILLED = 100_000
"""Most positions in the replay buffer: many more than fit in a CPU cache."""
LOCKSTEP = 64
LONGEST = 100
"""Moves after which a random game is truncated."""
WARM_UPS = 5
TOGETHER = 50
"""Steps between clock readings on a GPU, where each reading waits for the device."""
PARTS = ("draw", "forward", "backward", "update")


@dataclass(frozen=True)
class LearnRow:
    """One row of results: rates are per second of wall-clock time unless they say otherwise."""

    device: str
    batch: int
    unroll: int
    steps_per_second: float
    steps_per_cpu_second: float
    positions_per_second: float
    """Root positions of the unrolls trained on."""
    shares: dict[str, float]
    """Shares of the time, by `PARTS`: of the CPU time on a CPU. On CUDA, where a step is one graph, `draw` and `step`
    as shares of the wall-clock time."""
    step_milliseconds: float
    """Wall-clock time."""
    seconds: float
    cpu_seconds: float
    replay_bytes: int
    weights_bytes: int
    """Bytes of the trained network; an optimizer holds twice that, an average once."""
    gpu_bytes: int
    """Peak memory on the GPU, 0 without one."""
    peak_rss_bytes: int
    """Peak of the whole process so far."""

    def rate(self) -> float:
        """Positions per second of the scarce resource: CPU time on a CPU, wall-clock time on a GPU."""
        return self.batch * self.steps_per_cpu_second if self.device == "cpu" else self.positions_per_second


def random_games(config: Config, positions: int) -> list[Trajectory]:
    """Complete games of uniformly random moves, with uniform policies as if they had been searched."""
    settings = dataclasses.replace(config.selfplay, max_moves=min(config.selfplay.max_moves, LONGEST), part_moves=0)
    batch = games.make(config.game, LOCKSTEP, seed=0)
    actor = Actor(batch, settings, seed=0)
    played: list[Trajectory] = []
    while sum(map(len, played)) < positions:
        played += actor.play(None, 0.0)
    return [as_searched(game) for game in played]


def as_searched(game: Trajectory) -> Trajectory:
    policy = (game.legal / game.legal.sum(1, keepdims=True)).astype(np.float32)
    return dataclasses.replace(game, policy=policy, searched=np.ones(len(game), dtype=np.bool_))


@dataclass(frozen=True)
class Taken:
    """Time taken by some steps."""

    steps: int
    lap: Lap
    shares: dict[str, float]


class Learning:
    """A run's learner and a full replay buffer, ready to be measured."""

    def __init__(self, config: Config, device: str) -> None:
        self.config, self.device = config, torch.device(device)
        torch.set_num_threads(config.train.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.train.seed)
            self.learner = Learner(build_model(config).to(self.device), config.learner)
        capacity = min(config.replay.capacity, FILLED)
        settings = dataclasses.replace(config.replay, capacity=capacity, window_fraction=1.0)
        self.replay = Replay(games.spec(config.game), settings, symmetries(config.game))
        played = random_games(config, min(PLAYED, capacity))
        while self.replay.added < capacity:
            for game in played:
                self.replay.add(game)
        self.drawing = DrawConfig.of(config.learner, config.unroll, later_obs(config.learner, config.unroll))
        self.rng = np.random.default_rng(config.train.seed)

    def draw(self, size: int) -> Batch:
        return draw(self.replay, size, self.drawing, self.rng)

    def measure(self, size: int, seconds: float) -> LearnRow:
        """Steps on batches of `size` positions for at least `seconds` of wall-clock time, after some warm-up steps."""
        for _ in range(WARM_UPS):
            self.learner.step(self.draw(size), PROGRESS)
        on_cpu = self.device.type == "cpu"
        if not on_cpu:
            torch.cuda.reset_peak_memory_stats(self.device)
        taken = self._in_stages(size, seconds) if on_cpu else self._recorded(size, seconds)
        weights = sum(value.numel() * value.element_size() for value in self.learner.model.parameters())
        return LearnRow(
            device=self.device.type, batch=size, unroll=self.config.unroll,
            steps_per_second=taken.steps / taken.lap.wall, steps_per_cpu_second=taken.steps / taken.lap.cpu,
            positions_per_second=size * taken.steps / taken.lap.wall, shares=taken.shares,
            step_milliseconds=1e3 * taken.lap.wall / taken.steps, seconds=taken.lap.wall, cpu_seconds=taken.lap.cpu,
            replay_bytes=self.replay.memory_bytes, weights_bytes=weights,
            gpu_bytes=0 if on_cpu else torch.cuda.max_memory_allocated(self.device), peak_rss_bytes=peak_bytes())

    def _recorded(self, size: int, seconds: float) -> Taken:
        """Steps without waiting for each one."""
        watch, lap, drawing, steps = Watch(self.device), Lap(0.0, 0.0), 0.0, 0
        while lap.wall < seconds:
            for _ in range(TOGETHER):
                drawn = Watch()
                batch = self.draw(size)
                drawing += drawn.read().wall
                self.learner.step(batch, PROGRESS)
            steps, lap = steps + TOGETHER, watch.read()
        return Taken(steps, lap, {"draw": drawing / lap.wall, "step": 1.0 - drawing / lap.wall})

    def _in_stages(self, size: int, seconds: float) -> Taken:
        """Steps; after each, its first stages are run again on their own. The rest of its time is the update."""
        wall = cpu = 0.0
        steps, spent = 0, dict.fromkeys(("draw", "forward", "backward"), 0.0)
        while wall < seconds:
            watch = Watch()
            batch = self.draw(size)
            drawn = watch.read()
            self.learner.step(batch, PROGRESS)
            lap = watch.read()
            wall, cpu, steps = wall + lap.wall, cpu + lap.cpu, steps + 1
            onward, backward = self._stages(batch)
            for name, taken in (("draw", drawn.cpu), ("forward", onward), ("backward", backward)):
                spent[name] += taken
        whole = max(cpu, sum(spent.values()))
        shares = {name: taken / whole for name, taken in spent.items()}
        return Taken(steps, Lap(wall, cpu), shares | {"update": 1.0 - sum(shares.values())})

    def _stages(self, batch: Batch) -> tuple[float, float]:
        """CPU seconds of the forward pass, losses included, and of the backward pass."""
        model, data = self.learner.model, Tensors.of(batch)
        model.zero_grad(set_to_none=True)
        watch = Watch()
        losses = forward(model, data, self.config.learner)
        onward = watch.read().cpu
        losses.total.backward()  # type: ignore[no-untyped-call]
        return onward, watch.read().cpu - onward
