"""Tree search over a stub network with precomputed outputs; needs no torch and runs alongside other libraries."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import cpp_mcts

ANSWERS = 61
"""Number of different outputs of the stub: divides no usual number of simulations, so that searches differ."""


@dataclass(frozen=True)
class Stub:
    """Outputs that overlap in memory, so that they take no more cache than a single output of a network."""

    reward: NDArray[np.float32]
    """[ANSWERS + B]"""
    discount: NDArray[np.float32]
    """[ANSWERS + B]"""
    logits: NDArray[np.float32]
    """[(ANSWERS + B) * A]"""
    value: NDArray[np.float32]
    """[ANSWERS + B]"""

    @classmethod
    def make(cls, trees: int, actions: int, reward: float = 0.1, discount: float = -1.0) -> Stub:
        """Rewards are normal with standard deviation `reward`; discounts all equal: -1 for a two-player game."""
        rng = np.random.default_rng(1)
        rows = ANSWERS + trees
        numbers = (rng.normal(size=rows) * reward, np.full(rows, discount), rng.normal(size=rows * actions))
        return cls(*(n.astype(np.float32) for n in (*numbers, np.tanh(rng.normal(size=rows)))))

    def answer(self, index: int, rows: int, actions: int) -> tuple[NDArray[np.float32], ...]:
        """Reward, discount, logits and value for `rows` leaves."""
        start = index % ANSWERS
        logits = self.logits[start * actions : (start + rows) * actions].reshape(rows, actions)
        part = slice(start, start + rows)
        return self.reward[part], self.discount[part], logits, self.value[part]


@dataclass(frozen=True)
class Done:
    """One complete search."""

    wall_seconds: float
    cpu_seconds: float
    """CPU seconds of all threads of this process."""
    visits: NDArray[np.int32]
    """[B, A] of the roots"""


def run(search: cpp_mcts.Search, stub: Stub, number: int) -> Done:
    """Run one search to its capacity, the Python binding included in the time; `number` selects the outputs."""
    trees, actions = search.trees, search.actions
    _, _, logits, value = stub.answer(number, trees, actions)
    legal = np.ones((trees, actions), np.bool_)
    seeds = np.arange(trees, dtype=np.uint64) + np.uint64(number * trees)
    answers = [stub.answer(7 * step + number, trees, actions) for step in range(search.capacity)]
    tree, slot, action, chosen = (np.zeros(trees, np.int32) for _ in range(4))
    visits = np.zeros((trees, actions), np.int32)
    policy, q = (np.zeros((trees, actions), np.float32) for _ in range(2))
    mean = np.zeros(trees, np.float32)
    wall, cpu = time.perf_counter(), time.process_time()
    search.reset(logits, value, legal, seeds)
    search.select(tree, slot, action)
    for reward, discount, logits, value in answers[:-1]:
        search.advance(reward, discount, logits, value, tree, slot, action)
    search.expand(*answers[-1])
    search.result(visits, policy, q, mean, chosen)
    return Done(time.perf_counter() - wall, time.process_time() - cpu, visits)
