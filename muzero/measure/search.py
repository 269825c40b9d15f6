"""The tree by itself: a stub with answers made in advance stands in for the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cpp_mcts
from muzero.measure.watch import Lap, Watch

ANSWERS = 61
"""Different answers of the stub: no divisor of usual numbers of simulations, so that searches differ."""


@dataclass(frozen=True)
class Shape:
    """B trees of S simulations over A actions."""

    trees: int
    simulations: int
    actions: int

    def __str__(self) -> str:
        return f"{self.trees}x{self.simulations}x{self.actions}"


@dataclass(frozen=True)
class SearchRow:
    """One line: the best of the rounds; everything through the Python binding counts."""

    algorithm: str
    trees: int
    simulations: int
    actions: int
    threads: int
    simulations_per_second: float
    """Of wall clock."""
    simulations_per_cpu_second: float
    edges_per_cpu_second: float
    depth: float
    """Mean number of edges walked by a simulation."""
    bytes_per_simulation: float
    """Of the memory reserved."""
    memory_bytes: int
    rounds: int


@dataclass(frozen=True)
class Stub:
    """Answers that overlap in memory, so that they fill no more cache than one answer of a network would."""

    reward: NDArray[np.float32]
    """[ANSWERS + B]"""
    discount: NDArray[np.float32]
    """[ANSWERS + B] all -1: two players in turn"""
    logits: NDArray[np.float32]
    """[(ANSWERS + B) * A]"""
    value: NDArray[np.float32]
    """[ANSWERS + B]"""

    @classmethod
    def make(cls, shape: Shape) -> Stub:
        rng = np.random.default_rng(1)
        rows = ANSWERS + shape.trees
        numbers = (0.1 * rng.normal(size=rows), np.full(rows, -1.0), rng.normal(size=rows * shape.actions),
                   np.tanh(rng.normal(size=rows)))
        return cls(*(column.astype(np.float32) for column in numbers))

    def answer(self, index: int, rows: int, actions: int) -> tuple[NDArray[np.float32], ...]:
        """Reward, discount, logits, value for `rows` leaves."""
        start = index % ANSWERS
        logits = self.logits[start * actions : (start + rows) * actions].reshape(rows, actions)
        part = slice(start, start + rows)
        return self.reward[part], self.discount[part], logits, self.value[part]


def settings(algorithm: str, threads: int = 1) -> dict[str, Any]:
    """What every measured search is made with."""
    return {"algorithm": algorithm, "dirichlet_fraction": 0.25, "threads": threads}


def memory_needed(shape: Shape, algorithm: str) -> int:
    """Bytes a measurement of this shape reserves, its arrays included; nothing is reserved to find out."""
    arrays = (ANSWERS + 6 * shape.trees) * shape.actions * np.dtype(np.float32).itemsize
    return arrays + cpp_mcts.memory_needed(shape.trees, shape.actions, shape.simulations, **settings(algorithm))


def measure(shape: Shape, algorithm: str, threads: int, seconds: float) -> SearchRow:
    """The best round of as many as fit into `seconds` of wall clock, three at least; the CPU time of several threads is
    the mean of all rounds, because what another thread is running is counted only now and then."""
    search = cpp_mcts.Search(shape.trees, shape.actions, shape.simulations, **settings(algorithm, threads))
    stub, whole, rounds = Stub.make(shape), Watch(), 0
    best = Lap(float("inf"), float("inf"))
    edges, spent = 0, 0.0
    while rounds < 3 or whole.read().wall < seconds:
        lap = _search(search, stub, shape, rounds)
        if lap.cpu < best.cpu:
            edges = search.edges_visited
        best = Lap(min(best.wall, lap.wall), min(best.cpu, lap.cpu))
        spent += lap.cpu
        rounds += 1
    cpu = best.cpu if threads == 1 else spent / rounds
    done = shape.trees * shape.simulations
    return SearchRow(
        algorithm=algorithm, trees=shape.trees, simulations=shape.simulations, actions=shape.actions, threads=threads,
        simulations_per_second=done / best.wall, simulations_per_cpu_second=done / cpu,
        edges_per_cpu_second=edges / cpu, depth=edges / done, bytes_per_simulation=search.memory_bytes / done,
        memory_bytes=search.memory_bytes, rounds=rounds)


def _search(search: cpp_mcts.Search, stub: Stub, shape: Shape, round_: int) -> Lap:
    """One whole search; its number chooses the answers."""
    trees, actions = shape.trees, shape.actions
    _, _, logits, value = stub.answer(round_, trees, actions)
    legal = np.ones((trees, actions), dtype=np.bool_)
    seeds = np.arange(trees, dtype=np.uint64) + np.uint64(round_ * trees)
    tree, slot, action, chosen = (np.zeros(trees, dtype=np.int32) for _ in range(4))
    visits = np.zeros((trees, actions), dtype=np.int32)
    policy, q = (np.zeros((trees, actions), dtype=np.float32) for _ in range(2))
    mean = np.zeros(trees, dtype=np.float32)
    watch = Watch()
    search.reset(logits, value, legal, seeds)
    leaves = search.select(tree, slot, action)
    for step in range(shape.simulations - 1):
        reward, discount, logits, value = stub.answer(7 * step + round_, leaves, actions)
        leaves = search.advance(reward, discount, logits, value, tree, slot, action)
    search.expand(*stub.answer(7 * (shape.simulations - 1) + round_, leaves, actions))
    search.result(visits, policy, q, mean, chosen)
    return watch.read()
