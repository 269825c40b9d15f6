"""This project's search, through its Python binding.

Its pUCT runs against the peers' pUCT with bounds of the whole tree, as MuZero has them, and unvisited actions at the
lower bound. The peers' pUCT differ there, and a rule that digs deeper has cheaper edges, because what a new node costs
is spread over more of them. So each of them also meets a twin, this search with the peer's own rule:

- as-lightzero: an unvisited action counts as much as the mean of the visited ones (LightZero's mean also has the
  parent's in it, below the root).
- as-mctx: bounds of parent and siblings. This twin gives mctx's visits, tree for tree.

The Gumbel rule has the rescaling and the constants of both Gumbel peers; it too gives mctx's visits. Counted edges:
the search's own counter.
"""

from __future__ import annotations

from dataclasses import replace

from cpp_mcts import Search
from muzero.bench.stub import Stub, run
from muzero.config import SearchConfig
from peers.contestant import (
    C_BASE,
    C_INIT,
    C_SCALE,
    C_VISIT,
    DISCOUNT,
    MAX_CONSIDERED,
    SMALLEST_RANGE,
    Contestant,
    Shape,
    Spent,
)

PUCT = SearchConfig(
    algorithm="puct",
    scale="minmax",
    mirror=False,
    epsilon=SMALLEST_RANGE,
    c_init=C_INIT,
    c_base=C_BASE,
    unvisited="worst",
)
RULES: dict[str, SearchConfig] = {
    "puct": PUCT,
    "as-lightzero": replace(PUCT, unvisited="siblings"),
    "as-mctx": replace(PUCT, scale="siblings", epsilon=1e-8),
    "gumbel": SearchConfig(
        algorithm="gumbel",
        scale="siblings",
        c_visit=C_VISIT,
        c_scale=C_SCALE,
        max_considered=MAX_CONSIDERED,
        gumbel_scale=0.0,
    ),
}


def make_stub(shape: Shape) -> Stub:
    """The answers of all contestants: no reward, one player, normal logits, tanh-normal values."""
    return Stub.make(shape.trees, shape.actions, reward=0.0, discount=DISCOUNT)


def make_search(rule: str, shape: Shape) -> Search:
    return Search(shape.trees, shape.actions, shape.simulations, **RULES[rule].tree_settings)


class Own:
    """One thread, everything through the binding."""

    def __init__(self, rule: str, shape: Shape) -> None:
        self._shape = shape
        self._search = make_search(rule, shape)
        self._stub = make_stub(shape)
        self.search(0)  # its memory is reserved, but the machine gives it at the first touch

    def search(self, number: int) -> Spent:
        done = run(self._search, self._stub, number)
        return Spent(done.cpu_seconds, self._shape.trees * self._shape.simulations, self._search.edges_visited)


def make(name: str, shape: Shape) -> Contestant:
    return Own(name.removeprefix("own-"), shape)
