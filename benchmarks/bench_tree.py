"""How fast the tree search is by itself: a stub stands in for the network.

The stub's answers are prepared in advance. Time is CPU time of the whole process, everything through the Python
binding counted; a rate is the best of the rounds.

    python benchmarks/bench_tree.py
    python benchmarks/bench_tree.py --shapes 256x50x18 --algorithm gumbel --threads 2 --json -
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from cpp_mcts import Search

SHAPES = ("256x50x18", "64x200x7", "64x200x82", "16x800x362", "1x800x7")
ANSWERS = 61  # different answers of the stub


@dataclass(frozen=True)
class Rate:
    """One line of the table."""

    algorithm: str
    trees: int
    simulations: int
    actions: int
    threads: int
    simulations_per_second: float  # of CPU time
    edges_per_second: float  # edges walked, of CPU time
    edges_per_simulation: float  # mean depth
    bytes_per_simulation: float  # of memory reserved


@dataclass(frozen=True)
class Stub:
    """Answers that overlap in memory, so that they fill no more cache than one answer of a network would."""

    reward: NDArray[np.float32]  # [ANSWERS + B]
    discount: NDArray[np.float32]  # [ANSWERS + B]
    logits: NDArray[np.float32]  # [(ANSWERS + B) * A]
    value: NDArray[np.float32]  # [ANSWERS + B]

    @classmethod
    def make(cls, trees: int, actions: int, reward: float = 0.1, discount: float = -1.0) -> Stub:
        """Normal rewards of the deviation `reward`; one discount for all: -1 is a game of two players."""
        rng = np.random.default_rng(1)
        rows = ANSWERS + trees
        numbers = (rng.normal(size=rows) * reward, np.full(rows, discount), rng.normal(size=rows * actions))
        return cls(*(n.astype(np.float32) for n in (*numbers, np.tanh(rng.normal(size=rows)))))

    def answer(self, index: int, m: int, actions: int) -> tuple[NDArray[np.float32], ...]:
        rows = slice(index % ANSWERS, index % ANSWERS + m)
        logits = self.logits[rows.start * actions : rows.stop * actions].reshape(m, actions)
        return self.reward[rows], self.discount[rows], logits, self.value[rows]


@dataclass(frozen=True)
class Done:
    """One whole search."""

    cpu_seconds: float
    visits: NDArray[np.int32]  # [B,A] of the root


def run(search: Search, stub: Stub, trees: int, seed: int) -> Done:
    """Searches once, to the capacity; `seed` chooses the answers."""
    actions = search.actions
    _, _, logits, value = stub.answer(seed, trees, actions)
    legal = np.ones((trees, actions), np.bool_)
    seeds = np.arange(trees, dtype=np.uint64) + np.uint64(seed * trees)
    answers = [stub.answer(7 * k + seed, trees, actions) for k in range(search.capacity)]
    tree, slot, action = (np.zeros(trees, np.int32) for _ in range(3))
    visits, chosen = np.zeros((trees, actions), np.int32), np.zeros(trees, np.int32)
    policy, q, mean = (
        np.zeros((trees, actions), np.float32),
        np.zeros((trees, actions), np.float32),
        value.copy(),
    )
    start = time.process_time()
    search.reset(logits, value, legal, seeds)
    search.select(tree, slot, action)
    for reward, discount, logits, value in answers[:-1]:
        search.advance(reward, discount, logits, value, tree, slot, action)
    search.expand(*answers[-1])
    search.result(visits, policy, q, mean, chosen)
    return Done(time.process_time() - start, visits)


def measure(shape: str, algorithm: str, threads: int, seconds: float) -> Rate:
    """The best round of as many as fit into `seconds` of CPU time."""
    trees, simulations, actions = (int(n) for n in shape.split("x"))
    search = Search(trees, actions, simulations, algorithm=algorithm, dirichlet_fraction=0.25, threads=threads)
    stub = Stub.make(trees, actions)
    best, spent, edges = float("inf"), 0.0, 0
    for seed in range(10_000):
        taken = run(search, stub, trees, seed).cpu_seconds
        spent += taken
        if taken < best:
            best, edges = taken, search.edges_visited
        if spent > seconds and seed >= 2:
            break
    done = trees * simulations
    return Rate(
        algorithm,
        trees,
        simulations,
        actions,
        threads,
        done / best,
        edges / best,
        edges / done,
        search.memory_bytes / done,
    )


def table(rates: list[Rate]) -> str:
    lines = [f"{'algorithm':9} {'B x S x A':>13} {'sims/CPU s':>12} {'edges/CPU s':>13} {'depth':>6} {'bytes/sim':>9}"]
    for r in rates:
        shape = f"{r.trees}x{r.simulations}x{r.actions}"
        lines.append(
            f"{r.algorithm:9} {shape:>13} {r.simulations_per_second:12,.0f} {r.edges_per_second:13,.0f} "
            f"{r.edges_per_simulation:6.2f} {r.bytes_per_simulation:9.0f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), help="trees x simulations x actions: 64x200x7")
    parser.add_argument("--algorithm", nargs="+", default=["gumbel", "puct"], choices=["gumbel", "puct"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time for each line")
    parser.add_argument("--json", metavar="FILE", help="also write the figures, - for stdout instead of the table")
    args = parser.parse_args()
    rates = [measure(s, a, args.threads, args.seconds) for s in args.shapes for a in args.algorithm]
    text = json.dumps([asdict(rate) for rate in rates], indent=1)
    if args.json == "-":
        sys.stdout.write(text + "\n")
        return
    sys.stdout.write(table(rates) + "\n")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
