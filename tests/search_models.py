"""Stand-ins for a network, and the loop that searches with them; shared by the tests of the tree search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cpp_mcts import Search
from muzero.config import SearchConfig

ROWS = 61  # different answers of a table model

Answers = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def search_settings(**changes: Any) -> dict[str, Any]:
    """Every setting of a search: the defaults with `changes`, which are not checked."""
    return SearchConfig(**changes).tree_settings


def make_search(trees: int, actions: int, simulations: int, **changes: Any) -> Search:
    """A search with these sizes, and the default settings but for `changes`."""
    return Search(trees, actions, simulations, **search_settings(**changes))


class Model(Protocol):
    """A network whose latent is one number."""

    def root(self, latent: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """latent [B] -> logits [B,A], value [B]"""

    def step(self, latent: NDArray[np.uint64], action: NDArray[np.int32]) -> tuple[NDArray[np.uint64], Answers]:
        """latent [M], action [M] -> latent [M] and reward [M], discount [M], logits [M,A], value [M]"""


@dataclass(frozen=True)
class TableModel:
    """Answers from a table; the latent is a hash of all actions so far and says which row."""

    reward: NDArray[np.float32]  # [ROWS]
    discount: NDArray[np.float32]  # [ROWS]
    logits: NDArray[np.float32]  # [ROWS,A]
    value: NDArray[np.float32]  # [ROWS]

    def row(self, latent: NDArray[np.uint64]) -> NDArray[np.intp]:
        return (latent >> np.uint64(33)).astype(np.intp) % ROWS

    @staticmethod
    def next_latent(latent: NDArray[np.uint64], action: NDArray[np.int32]) -> NDArray[np.uint64]:
        mixed = (latent ^ (action.astype(np.uint64) + np.uint64(1))) * np.uint64(0x9E3779B97F4A7C15)
        return mixed ^ (mixed >> np.uint64(29))

    def root(self, latent: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        row = self.row(latent)
        return self.logits[row], self.value[row]

    def step(self, latent: NDArray[np.uint64], action: NDArray[np.int32]) -> tuple[NDArray[np.uint64], Answers]:
        latent = self.next_latent(latent, action)
        row = self.row(latent)
        return latent, (self.reward[row], self.discount[row], self.logits[row], self.value[row])


def random_table(rng: np.random.Generator, actions: int, discounts: list[float], grid: float = 0.0) -> TableModel:
    """Random answers; with a grid all numbers are multiples of it, which makes ties common."""
    numbers = [
        rng.normal(size=ROWS) * rng.choice([0.0, 0.3]),
        rng.normal(size=(ROWS, actions)) * rng.choice([1.0, 4.0]),
        np.tanh(rng.normal(size=ROWS)),
    ]
    if grid:
        numbers = [np.round(n / grid) * grid for n in numbers]
    reward, logits, value = (n.astype(np.float32) for n in numbers)
    return TableModel(reward, rng.choice(discounts, size=ROWS).astype(np.float32), logits, value)


@dataclass(frozen=True)
class Results:
    """What a batch of searches says."""

    visits: NDArray[np.int32]  # [B,A]
    policy: NDArray[np.float32]  # [B,A]
    q: NDArray[np.float32]  # [B,A]
    value: NDArray[np.float32]  # [B]
    action: NDArray[np.int32]  # [B]
    leaves: list[int]  # M of each simulation

    def bytes(self) -> bytes:
        return b"".join(x.tobytes() for x in (self.visits, self.policy, self.q, self.value, self.action))


def result_of(search: Search, leaves: list[int] | None = None) -> Results:
    """Reads the outcome into arrays whose old content must not show."""
    b, a = search.active_trees, search.actions
    visits, action = np.full((b, a), -7, np.int32), np.full(b, -7, np.int32)
    policy, q, value = (
        np.full((b, a), np.nan, np.float32),
        np.full((b, a), np.nan, np.float32),
        np.zeros(b, np.float32),
    )
    search.result(visits, policy, q, value, action)
    return Results(visits, policy, q, value, action, leaves or [])


def drive(
    search: Search,
    model: Model,
    roots: NDArray[np.uint64],
    legal: NDArray[Any],
    seeds: NDArray[np.uint64],
    simulations: int | None = None,
    *,
    in_one_call: bool = False,
) -> Results:
    """Searches from the latents `roots` [B] and reads the result; `in_one_call`: with `advance`, where it can be."""
    b = len(roots)
    latents = np.zeros(((simulations or search.capacity) + 1, b), np.uint64)
    latents[0] = roots
    search.reset(*model.root(roots), legal, seeds, simulations)
    tree, slot, action = (np.full(b, -7, np.int32) for _ in range(3))
    leaves, ahead = list[int](), None
    while search.simulations_done < search.simulations:
        new_slot = search.simulations_done + 1
        m = search.select(tree, slot, action) if ahead is None else ahead
        leaves.append(m)
        ahead = None
        if m == 0:
            continue
        latent, answers = model.step(latents[slot[:m], tree[:m]], action[:m])
        latents[new_slot, tree[:m]] = latent
        if in_one_call and new_slot < search.simulations:
            ahead = search.advance(*answers, tree, slot, action)
            if ahead == 0:
                leaves.append(ahead)
                ahead = None
        else:
            search.expand(*answers)
    return result_of(search, leaves)
