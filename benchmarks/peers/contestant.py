"""What a contestant is: one tree search of one shape that takes turns and counts its own edges.

An edge is the same thing for all: one step of a walk from the root, the step to the new leaf included. The sum of
the edges of a search is therefore its simulations times their mean depth, so searches whose rules dig differently
deep compare. The time of a search is that of its own calls and of the conversions they need, in CPU seconds of the
whole process: making the tree, the roots, every simulation, reading the result, and giving the tree back.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DISCOUNT = 0.997  # one player, for all who know a discount
C_BASE, C_INIT = 19652, 1.25  # Schrittwieser et al. 2020, App. B
SMALLEST_RANGE = 0.01  # that the Qs of a pUCT tree are divided by; LightZero's value_delta_max
C_VISIT, C_SCALE = 50.0, 0.1  # sigma of Gumbel MuZero; fixed in LightZero and the defaults of mctx
MAX_CONSIDERED = 16

SHAPES = ("256x50x18", "64x200x7", "64x200x82", "16x800x362", "1x800x7")


class Refused(Exception):
    """A wrong argument, or a contestant that can't take part; the text says why."""


@dataclass(frozen=True)
class Shape:
    """Size of a batch of searches."""

    trees: int
    simulations: int
    actions: int

    @classmethod
    def parse(cls, text: str) -> Shape:
        """From "64x200x7"; raises Refused."""
        parts = text.split("x")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise Refused(f"--shapes: expected TREESxSIMULATIONSxACTIONS such as {SHAPES[1]}, got {text!r}")
        return cls(*(int(part) for part in parts))

    def __str__(self) -> str:
        return f"{self.trees}x{self.simulations}x{self.actions}"


@dataclass(frozen=True)
class Spent:
    """What some searches took."""

    cpu_seconds: float
    simulations: int
    edges: int


def depths(parents: NDArray[np.int32]) -> NDArray[np.int64]:
    """Depth of each node [B,S+1] from the index of its parent [B,S+1]; node 0 is the root, a parent comes first."""
    deep = np.zeros(parents.shape, np.int64)
    rows = np.arange(len(parents))
    for node in range(1, parents.shape[1]):
        deep[:, node] = deep[rows, parents[:, node]] + 1
    return deep


class Contestant(Protocol):
    """A search that is ready to start."""

    def search(self, number: int) -> Spent:
        """Search `number`, which chooses among the stub's answers; only its own work is on the clock."""


@dataclass(frozen=True)
class Peer:
    """Who is compared, and with which rule of this project's search."""

    rule: str  # "puct" or "gumbel"
    module: str  # of the adapter; empty: the C++ loop, which is a program
    packages: tuple[str, ...] = ()  # whose versions are reported
    twin: str = ""  # this project's search with the very rule of the peer, if that is not `rule`


PEERS = {
    "lightzero-muzero": Peer("puct", "peers.lightzero_trees", ("lightzero",), "as-lightzero"),
    "lightzero-gumbel": Peer("gumbel", "peers.lightzero_trees", ("lightzero",)),
    "mctx-muzero": Peer("puct", "peers.mctx_policies", ("mctx", "jax", "jaxlib"), "as-mctx"),
    "mctx-gumbel": Peer("gumbel", "peers.mctx_policies", ("mctx", "jax", "jaxlib")),
    "loop-puct": Peer("puct", ""),
    "loop-gumbel": Peer("gumbel", ""),
    "openspiel-python": Peer("puct", "peers.openspiel_mcts", ("open_spiel",)),
    "openspiel-cpp": Peer("puct", "peers.openspiel_mcts", ("open_spiel",)),
}
OWN = {f"own-{rule}": Peer(rule, "peers.own") for rule in ("puct", "as-lightzero", "as-mctx", "gumbel")}


def choose(names: list[str]) -> dict[str, Peer]:
    """The peers of these names, in the order of PEERS; raises Refused with the nearest name."""
    for name in names:
        if name not in PEERS:
            near = difflib.get_close_matches(name, PEERS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Refused(f"--only: expected some of {', '.join(PEERS)}, got {name!r}{hint}")
    return {name: peer for name, peer in PEERS.items() if name in names or not names}
