"""Benchmark of the tree search only: a stub with precomputed outputs stands in for the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import cpp_mcts
from muzero.bench.stub import ANSWERS, Stub, run
from muzero.bench.watch import Watch
from muzero.config import SearchConfig


@dataclass(frozen=True)
class Shape:
    """B trees, S simulations, A actions."""

    trees: int
    simulations: int
    actions: int

    def __str__(self) -> str:
        return f"{self.trees}x{self.simulations}x{self.actions}"


@dataclass(frozen=True)
class SearchRow:
    """One row of results: the best of the rounds, the Python binding included."""

    algorithm: str
    trees: int
    simulations: int
    actions: int
    threads: int
    simulations_per_second: float
    """Per second of wall-clock time."""
    simulations_per_cpu_second: float
    edges_per_cpu_second: float
    depth: float
    """Mean number of edges traversed in a simulation."""
    bytes_per_simulation: float
    """Reserved memory per simulation."""
    memory_bytes: int
    rounds: int


def settings(algorithm: str, threads: int = 1) -> dict[str, float | str | bool]:
    """Settings of every measured search."""
    config = SearchConfig(unvisited="worst", dirichlet_fraction=0.25, threads=threads)
    return {**config.tree_settings, "algorithm": algorithm}


def array_bytes(trees: int, actions: int) -> int:
    """Bytes of the input and output arrays of a search of `trees` positions."""
    return (ANSWERS + 6 * trees) * actions * np.dtype(np.float32).itemsize


def memory_needed(shape: Shape, algorithm: str) -> int:
    """Bytes that a measurement of this shape would reserve, its arrays included; computed without reserving any."""
    arrays = array_bytes(shape.trees, shape.actions)
    return arrays + cpp_mcts.memory_needed(shape.trees, shape.actions, shape.simulations, **settings(algorithm))


def measure(shape: Shape, algorithm: str, threads: int, seconds: float) -> SearchRow:
    """The best of as many rounds as fit into `seconds` of wall-clock time, at least three.

    With several threads the CPU time is the mean over all rounds, the setup of their arrays included: the CPU time of
    running threads is updated only now and then, so short times would be wrong.
    """
    search = cpp_mcts.Search(shape.trees, shape.actions, shape.simulations, **settings(algorithm, threads))
    stub, whole, rounds = Stub.make(shape.trees, shape.actions), Watch(), 0
    best_wall = best_cpu = float("inf")
    edges = 0
    while rounds < 3 or whole.read().wall < seconds:
        took = run(search, stub, rounds)
        if took.cpu_seconds < best_cpu:
            edges = search.edges_visited
        best_wall, best_cpu = min(best_wall, took.wall_seconds), min(best_cpu, took.cpu_seconds)
        rounds += 1
    cpu = best_cpu if threads == 1 else whole.read().cpu / rounds
    done = shape.trees * shape.simulations
    return SearchRow(
        algorithm=algorithm, trees=shape.trees, simulations=shape.simulations, actions=shape.actions, threads=threads,
        simulations_per_second=done / best_wall, simulations_per_cpu_second=done / cpu,
        edges_per_cpu_second=edges / cpu, depth=edges / done, bytes_per_simulation=search.memory_bytes / done,
        memory_bytes=search.memory_bytes, rounds=rounds)
