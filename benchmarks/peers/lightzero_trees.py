"""LightZero's C++ trees, driven by the calls of its own search classes.

The package itself is not imported: it wants a training stack that plays no part here. Counted: the roots, the
traversals, the lists its trees ask for in place of arrays, the backups, the result, and the release of the tree.
Not counted, in its favour: gathering latents by the lists that a traversal returns.

Counted edges: the search lengths its traversal reports, which are steps from the root, the new leaf included. They
are read after the clock has stopped.

Its Gumbel noise can't be turned off: a constant of its code draws it, the same for all trees of a length.
"""

from __future__ import annotations

import importlib.util
import time
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

from muzero.bench.stub import Stub
from peers.contestant import (
    C_BASE,
    C_INIT,
    DISCOUNT,
    MAX_CONSIDERED,
    SMALLEST_RANGE,
    Contestant,
    Refused,
    Shape,
    Spent,
)
from peers.own import make_stub

ONE_PLAYER = -1


def load(name: str) -> ModuleType:
    """One compiled module, from its file."""
    folder = Path(str(distribution("lightzero").locate_file("lzero/mcts/ctree")))
    files = sorted(folder.glob(f"*/{name}.*"))
    if not files:
        raise Refused(f"LightZero has no compiled module {name} for this Python")
    spec = importlib.util.spec_from_file_location(name, files[0])
    if spec is None or spec.loader is None:
        raise Refused(f"LightZero's {files[0].name} is no module that this Python can load")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Trees:
    """The search of a batch; what differs between the two rules is said by the three methods that follow it."""

    def __init__(self, module: str, shape: Shape) -> None:
        self._tree: Any = load(module)
        self._shape = shape
        self._stub: Stub = make_stub(shape)
        self._players = [ONE_PLAYER] * shape.trees

    def search(self, number: int) -> Spent:
        b, simulations, actions = self._shape.trees, self._shape.simulations, self._shape.actions
        root = self._stub.answer(number, b, actions)
        answers = [self._stub.answer(7 * k + number, b, actions) for k in range(simulations)]
        walks = []
        start = time.process_time()
        roots = self._tree.Roots(b, [list(range(actions))] * b)
        self.prepare(roots, *(root[i].tolist() for i in (0, 3, 2)))
        bounds = self._tree.MinMaxStatsList(b)
        bounds.set_delta(SMALLEST_RANGE)
        for k, (reward, _, logits, value) in enumerate(answers):
            walk = self._tree.ResultsWrapper(num=b)
            players = self.traverse(roots, bounds, walk)
            self.back_up(k + 1, reward.tolist(), value.tolist(), logits.tolist(), bounds, walk, players)
            walks.append(walk)
        roots.get_distributions(), roots.get_values()
        del roots
        spent = time.process_time() - start
        return Spent(spent, b * simulations, sum(sum(walk.get_search_len()) for walk in walks))

    def prepare(self, roots: Any, rewards: list[float], values: list[float], logits: list[list[float]]) -> None:
        raise NotImplementedError

    def traverse(self, roots: Any, bounds: Any, walk: Any) -> list[int]:
        raise NotImplementedError

    def back_up(self, slot: int, *answers: Any) -> None:
        raise NotImplementedError


class MuZero(Trees):
    def prepare(self, roots: Any, rewards: list[float], values: list[float], logits: list[list[float]]) -> None:
        roots.prepare_no_noise(rewards, logits, self._players)

    def traverse(self, roots: Any, bounds: Any, walk: Any) -> list[int]:
        found = self._tree.batch_traverse(roots, C_BASE, C_INIT, DISCOUNT, bounds, walk, self._players)
        players: list[int] = found[3]
        return players

    def back_up(self, slot: int, *answers: Any) -> None:
        self._tree.batch_backpropagate(slot, DISCOUNT, *answers)


class Gumbel(Trees):
    def prepare(self, roots: Any, rewards: list[float], values: list[float], logits: list[list[float]]) -> None:
        roots.prepare_no_noise(rewards, values, logits, self._players)

    def traverse(self, roots: Any, bounds: Any, walk: Any) -> list[int]:
        found = self._tree.batch_traverse(
            roots, self._shape.simulations, MAX_CONSIDERED, DISCOUNT, walk, self._players
        )
        players: list[int] = found[3]
        return players

    def back_up(self, slot: int, *answers: Any) -> None:
        self._tree.batch_back_propagate(slot, DISCOUNT, *answers)


def make(name: str, shape: Shape) -> Contestant:
    return MuZero("mz_tree", shape) if name == "lightzero-muzero" else Gumbel("gmz_tree", shape)
