"""Sum tree for prioritised sampling in O(log n), with loops compiled by numba."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from games.compiled import compiled

Priorities = NDArray[np.float64]
Places = NDArray[np.int64]


@compiled
def _update(tree: Priorities, leaves: int, places: Places, values: Priorities) -> None:
    for i in range(len(places)):
        node = leaves + places[i]
        tree[node] = values[i]
        node //= 2
        while node >= 1:
            tree[node] = tree[2 * node] + tree[2 * node + 1]
            node //= 2


@compiled
def _draw(tree: Priorities, leaves: int, masses: Priorities) -> Places:
    out = np.empty(len(masses), dtype=np.int64)
    for i in range(len(masses)):
        node, mass = 1, masses[i]
        while node < leaves:
            node *= 2
            if mass >= tree[node] and tree[node + 1] > 0.0:
                mass -= tree[node]
                node += 1
        out[i] = node - leaves
    return out


class SumTree:
    """A complete binary tree of sums over `capacity` priorities, initially 0."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.leaves = self.leaves_for(capacity)
        self.tree: Priorities = np.zeros(2 * self.leaves, dtype=np.float64)

    @staticmethod
    def leaves_for(capacity: int) -> int:
        """The next power of two."""
        return 1 << max(0, capacity - 1).bit_length()

    @staticmethod
    def bytes_for(capacity: int) -> int:
        """Memory of a tree for `capacity` places."""
        return 16 * SumTree.leaves_for(capacity)

    @property
    def total(self) -> float:
        return float(self.tree[1])

    def update(self, places: Places, values: Priorities) -> None:
        """Set the priorities of places int64 [B] to values float64 [B], all finite and >= 0."""
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise ValueError("priorities: expected finite numbers of 0 or more")
        _update(self.tree, self.leaves, places, values)

    def get(self, places: Places) -> Priorities:
        """Priorities [B] of places [B]."""
        return self.tree[self.leaves + places]

    def draw(self, count: int, rng: np.random.Generator) -> Places:
        """`count` places, sampled in proportion to priority: one from each of `count` equal strata, in order."""
        if self.total <= 0.0:
            raise ValueError("nothing to sample from: all priorities are 0")
        masses = (np.arange(count) + rng.random(count)) * (self.total / count)
        return _draw(self.tree, self.leaves, masses)
