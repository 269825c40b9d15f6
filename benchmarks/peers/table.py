"""From the turns to the tables: medians, spreads, ratios and targets. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from peers.contestant import OWN, PEERS, Shape, Spent

TARGETS: dict[str, dict[str, float]] = {
    "256x50x18": {"lightzero-muzero": 15, "lightzero-gumbel": 50, "mctx-muzero": 20, "mctx-gumbel": 12},
    "64x200x7": {"lightzero-muzero": 10, "lightzero-gumbel": 40, "mctx-muzero": 35, "mctx-gumbel": 15},
    "64x200x82": {"lightzero-muzero": 60, "lightzero-gumbel": 100, "mctx-gumbel": 150},
    "16x800x362": {"lightzero-muzero": 200},
    "1x800x7": {"lightzero-muzero": 8, "mctx-muzero": 8, "mctx-gumbel": 8},
}
"""shape -> peer -> how many times as fast this search has to be; what is not here is only reported"""
LOOP_TARGET = 0.8  # of the C++ loop's speed, for batches
BATCHES = ("256x50x18", "64x200x7", "64x200x82", "16x800x362")


def target(shape: str, peer: str) -> float | None:
    if peer.startswith("loop-"):
        return LOOP_TARGET if shape in BATCHES else None
    return TARGETS.get(shape, {}).get(peer)


@dataclass(frozen=True)
class Pair:
    """One round: a turn of this search and the peer's next to it."""

    shape: Shape
    peer: str
    own: Spent
    theirs: Spent
    twin: Spent | None = None  # this search with the very rule of the peer

    @property
    def ratio(self) -> float:
        """Edges per CPU second, this search over the peer."""
        return speed(self.own) / speed(self.theirs)

    @property
    def same_rule(self) -> float | None:
        """The same with the very rule of the peer, where there is such a twin."""
        return None if self.twin is None else speed(self.twin) / speed(self.theirs)


@dataclass(frozen=True)
class Line:
    """A contestant's turns at one shape."""

    shape: str
    name: str
    turns: int
    edges_per_second: float  # of CPU time, median of the turns; the same below
    slowest: float
    fastest: float
    simulations_per_second: float
    depth: float  # edges a simulation


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as a peer this search is at one shape."""

    shape: str
    peer: str
    ratio: float  # median of the rounds
    lowest: float
    highest: float
    same_rule: float | None  # the median with the very rule of the peer, where there is such a twin
    target: float | None

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "reported"
        return "met" if self.ratio >= self.target else "missed"


def speed(spent: Spent) -> float:
    """Edges per CPU second."""
    return spent.edges / spent.cpu_seconds


def line_of(shape: Shape, name: str, turns: list[Spent]) -> Line:
    speeds = [speed(turn) for turn in turns]
    return Line(
        str(shape),
        name,
        len(turns),
        median(speeds),
        min(speeds),
        max(speeds),
        median(turn.simulations / turn.cpu_seconds for turn in turns),
        sum(turn.edges for turn in turns) / sum(turn.simulations for turn in turns),
    )


def lines(pairs: list[Pair]) -> list[Line]:
    """This search under each rule, then the peers, shape by shape."""
    turns: dict[tuple[Shape, str], list[Spent]] = {}
    for pair in pairs:
        turns.setdefault((pair.shape, f"own-{PEERS[pair.peer].rule}"), []).append(pair.own)
        turns.setdefault((pair.shape, pair.peer), []).append(pair.theirs)
        if pair.twin is not None:
            turns.setdefault((pair.shape, f"own-{PEERS[pair.peer].twin}"), []).append(pair.twin)
    shapes = list(dict.fromkeys(pair.shape for pair in pairs))
    return [
        line_of(shape, name, turns[shape, name])
        for shape in shapes
        for name in (*OWN, *PEERS)
        if (shape, name) in turns
    ]


def ratios(pairs: list[Pair]) -> list[Ratio]:
    found: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        found.setdefault((str(pair.shape), pair.peer), []).append(pair)
    return [
        Ratio(
            shape,
            peer,
            median(pair.ratio for pair in rounds),
            min(pair.ratio for pair in rounds),
            max(pair.ratio for pair in rounds),
            median(twins) if (twins := [p.same_rule for p in rounds if p.same_rule is not None]) else None,
            target(shape, peer),
        )
        for (shape, peer), rounds in found.items()
    ]


def speed_table(rows: list[Line]) -> str:
    head = f"{'B x S x A':>11}  {'contestant':16} {'edges/CPU s':>12} {'slowest':>12} {'fastest':>12}"
    text = [f"{head} {'sims/CPU s':>11} {'depth':>6} {'turns':>5}"]
    for row in rows:
        text.append(
            f"{row.shape:>11}  {row.name:16} {row.edges_per_second:12,.0f} {row.slowest:12,.0f} {row.fastest:12,.0f} "
            f"{row.simulations_per_second:11,.0f} {row.depth:6.2f} {row.turns:5}"
        )
    return "\n".join(text)


def ratio_table(rows: list[Ratio]) -> str:
    head = f"{'B x S x A':>11}  {'this search over':16} {'ratio':>8} {'lowest':>8} {'highest':>8} {'same rule':>9}"
    text = [f"{head}  [target]"]
    for row in rows:
        target = "" if row.target is None else f"[>= {row.target:g}] "
        same = "" if row.same_rule is None else f"{row.same_rule:.2f}"
        text.append(
            f"{row.shape:>11}  {row.peer:16} {row.ratio:8.2f} {row.lowest:8.2f} {row.highest:8.2f} "
            f"{same:>9}  {target}{row.verdict}"
        )
    return "\n".join(text)
