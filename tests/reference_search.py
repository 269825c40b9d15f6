"""A slow and plain form of the tree search, written to be checked by eye: the tests compare `cpp_mcts` with it.

It is independent where that matters: nodes are objects, every action of every node is scored, players are
explicit and all returns are those of player 0 (the C++ tree knows only signed discounts). It shares the
precision rule: the weight exp(logit - largest logit) of an action is float32 arithmetic, all else is float64,
noise is rounded to float32, and a range is divided by through its reciprocal, so that scores which tie by
chance tie in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from muzero.config import SearchConfig

MASK = (1 << 64) - 1
IMPOSSIBLE = -float(np.finfo(np.float32).max)  # logit of an action that can't be taken


class Rng:
    """xoshiro256++ seeded by splitmix64, and the draws made from it (sources: cpp_mcts/src/rng.h)."""

    def __init__(self, seed: int) -> None:
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            mixed = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
            self.state.append(mixed ^ (mixed >> 31))

    def bits(self) -> int:
        def rotate(x: int, k: int) -> int:
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.state
        result = (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 45)
        return result

    def uniform(self) -> float:
        return ((self.bits() >> 12) + 0.5) * 2.0**-52

    def gumbel(self) -> float:
        return -math.log(-math.log(self.uniform()))

    def normal(self) -> float:
        while True:
            x, y = 2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0
            square = x * x + y * y
            if 0.0 < square < 1.0:
                return x * math.sqrt(-2.0 * math.log(square) / square)

    def log_gamma_draw(self, alpha: float) -> float:
        if alpha < 1.0:
            larger = self.log_gamma_draw(alpha + 1.0)
            return larger + math.log(self.uniform()) / alpha
        d = alpha - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * d)
        while True:
            x = self.normal()
            root = 1.0 + c * x
            if root <= 0.0:
                continue
            v = root * root * root
            if math.log(self.uniform()) < 0.5 * x * x + d - d * v + d * math.log(v):
                return math.log(d * v)


def exp32(x: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """exp(x) for x <= 0, every step rounded to float32: 2^n times a Taylor polynomial of degree 7."""
    f = np.float32
    x = np.maximum(x, f(-87.0))
    n = np.rint(x * f(1.44269502))
    r = (x - n * f(0.693145751953125)) - n * f(1.42860677e-06)
    p = np.full_like(x, f(1.0 / 5040))
    for factor in (720, 120, 24, 6, 2, 1, 1):
        p = p * r + f(1.0) / f(factor)
    powers: np.ndarray[Any, np.dtype[np.float32]] = np.ldexp(p, n.astype(np.int32))
    return powers


@lru_cache(maxsize=100_000)
def weights_of(logits: tuple[float, ...]) -> tuple[float, ...]:
    """exp(logit - largest logit) for each logit, in float32."""
    row = np.array(logits, np.float32)
    return tuple(exp32(row - row.max()).tolist())


@dataclass(frozen=True)
class Step:
    """What a network says about the position that an edge leads to."""

    reward: float  # seen by the player who moved
    discount: float  # +g same player, -g the other, 0 the end
    logits: tuple[float, ...]  # [A]
    value: float  # seen by the player to move


@dataclass
class Node:
    """A position. Every return is player 0's."""

    player: int  # to move
    slot: int
    weights: dict[int, float]  # by action that may be tried
    rank: dict[int, Any]  # a higher rank wins a tie of scores: the higher prior, then the lower action
    raw_value: float  # seen by `player`
    reward: float = 0.0  # of player 0, on the edge into this node
    discount: float = 0.0  # without a sign
    terminal: bool = False
    visits: int = 0
    return_sum: float = 0.0  # of player 0
    children: dict[int, Node] = field(default_factory=dict)

    def prior(self, action: int) -> float:
        return self.weights[action] / sum(self.weights.values())

    def q(self, action: int) -> float:
        """Of a visited action, seen by the player to move here."""
        child = self.children[action]
        after = 0.0 if child.terminal else child.discount * (child.return_sum / child.visits)
        return self.sign * (child.reward + after)

    @property
    def sign(self) -> int:
        return 1 if self.player == 0 else -1

    @property
    def mean(self) -> float:
        return self.sign * self.return_sum / self.visits


@dataclass(frozen=True)
class Outcome:
    """What a search says, by action [A]."""

    visits: list[int]
    policy: list[float]
    q: list[float]
    value: float
    action: int


# (slot of a node, action, slot of the new node that the action leads to) -> what the network says about the new node
Network = Callable[[int, int, int], Step]


class ReferenceSearch:
    """One tree."""

    def __init__(self, rules: SearchConfig, actions: int) -> None:
        self.rules, self.actions = rules, actions

    def run(self, root: Step, legal: Sequence[bool], seed: int, network: Network, player: int = 0) -> Outcome:
        """Searches from a position whose `Step` has no reward and no discount."""
        rules = self.rules
        self.bounds = (math.inf, -math.inf)
        self.logits = {a: root.logits[a] for a in range(self.actions) if legal[a]}
        weights = dict(zip(self.logits, weights_of(tuple(self.logits.values())), strict=True))
        rank = {a: (logit, -a) for a, logit in self.logits.items()}
        self.root = Node(player, 0, weights, rank, root.value)
        self.root.visits, self.root.return_sum = 1, self.root.sign * root.value
        self.noise = dict.fromkeys(self.logits, 0.0)
        rng = Rng(seed)
        if rules.algorithm == "gumbel" and rules.gumbel_scale > 0:
            self.noise = {a: float(np.float32(rules.gumbel_scale * rng.gumbel())) for a in self.logits}
        if rules.algorithm == "puct" and rules.dirichlet_fraction > 0:
            self.mix_dirichlet(rng)
        considered = min(rules.max_considered, len(self.logits), rules.simulations)
        self.schedule = halving(considered, rules.simulations)
        for simulation in range(rules.simulations):
            self.simulate(simulation, network)
        return self.gumbel_outcome() if rules.algorithm == "gumbel" else self.puct_outcome()

    def mix_dirichlet(self, rng: Rng) -> None:
        draws = {a: rng.log_gamma_draw(self.rules.dirichlet_alpha) for a in self.logits}
        top = max(draws.values())
        draws = {a: math.exp(draw - top) for a, draw in draws.items()}
        total, f = sum(draws.values()), self.rules.dirichlet_fraction
        mixed = {a: (1.0 - f) * self.root.prior(a) + f * (draws[a] / total) for a in self.logits}
        # A noisy prior is a float32, and the noise changes its sum only by rounding: it counts as 1.
        self.root.weights = {a: float(np.float32(p)) for a, p in mixed.items()}
        self.root.rank = {a: (p, -a) for a, p in self.root.weights.items()}

    def simulate(self, simulation: int, network: Network) -> None:
        node, path = self.root, [self.root]
        while True:
            action = self.choose(node, simulation)
            if action not in node.children:
                node.children[action] = self.make_node(node, simulation + 1, network(node.slot, action, simulation + 1))
                path.append(node.children[action])
                break
            node = node.children[action]
            path.append(node)
            if node.terminal or len(path) - 1 == self.rules.max_depth:
                break
        self.back_up(path)

    def make_node(self, parent: Node, slot: int, step: Step) -> Node:
        player = parent.player if step.discount > 0 else 1 - parent.player
        logits = {a: logit for a, logit in enumerate(step.logits) if logit > IMPOSSIBLE}
        return Node(
            player,
            slot,
            dict(zip(logits, weights_of(tuple(logits.values())), strict=True)),
            {a: (logit, -a) for a, logit in logits.items()},
            step.value,
            parent.sign * step.reward,
            abs(step.discount),
            step.discount == 0,
        )

    def back_up(self, path: list[Node]) -> None:
        total = path[-1].sign * path[-1].raw_value
        for parent, node in reversed(list(zip([None, *path], path, strict=False))):
            node.visits += 1
            node.return_sum += total
            total = node.reward + (0.0 if node.terminal else node.discount * total)
            if parent is not None:
                action = next(a for a, child in parent.children.items() if child is node)
                q = parent.q(action)
                for seen in (q, -q) if self.rules.mirror else (q,):
                    self.bounds = (min(self.bounds[0], seen), max(self.bounds[1], seen))

    def choose(self, node: Node, simulation: int) -> int:
        if self.rules.algorithm == "puct":
            scores = self.puct_scores(node)
        elif node is self.root:
            count = self.schedule[simulation]
            scores = {a: s for a, s in self.gumbel_scores().items() if self.visits(node, a) == count}
            return max(scores, key=lambda a: (scores[a], self.order(a)))
        else:
            scores = self.improved_scores(node)
        return max(scores, key=lambda a: (scores[a], node.rank[a]))

    @staticmethod
    def visits(node: Node, action: int) -> int:
        return node.children[action].visits if action in node.children else 0

    def scaled(self, q: float, candidates: list[float]) -> float:
        """Q on the common scale; `candidates` are what the scale "siblings" takes its bounds from."""
        rules = self.rules
        if rules.scale == "fixed":
            return (q - rules.low) * (1.0 / (rules.high - rules.low))
        low, high = self.bounds if rules.scale == "minmax" else (min(candidates), max(candidates))
        return (q - low) * (1.0 / max(high - low, rules.epsilon))

    def estimated(self, q: float, candidates: list[float]) -> float:
        """The same for an unvisited action's estimate, which need not lie within the bounds of the tree."""
        scaled = self.scaled(q, candidates)
        return min(max(scaled, 0.0), 1.0) if self.rules.scale == "minmax" else scaled

    # ---- pUCT ----

    def puct_scores(self, node: Node) -> dict[int, float]:
        rules = self.rules
        visited = {a: node.q(a) for a in node.children}
        candidates = [node.mean, *visited.values()]
        unvisited = 0.0
        if visited and rules.unvisited == "parent":
            unvisited = self.estimated(node.mean, candidates)
        if visited and rules.unvisited == "siblings":
            unvisited = self.estimated(sum(visited.values()) / len(visited), candidates)
        n = node.visits
        c = rules.c_init + math.log((n + rules.c_base + 1) / rules.c_base)
        total = 1.0 if node is self.root and rules.dirichlet_fraction > 0 else sum(node.weights.values())
        scores = {}
        for action, weight in node.weights.items():
            q = self.scaled(visited[action], candidates) if action in visited else unvisited
            scores[action] = q + weight / total * math.sqrt(n) / (1 + self.visits(node, action)) * c
        return scores

    def puct_outcome(self) -> Outcome:
        root, total = self.root, self.root.visits - 1
        visits = [self.visits(root, a) for a in range(self.actions)]
        q = [0.0] * self.actions
        for a in self.logits:
            q[a] = root.q(a) if a in root.children else root.mean
        action = max(root.children, key=lambda a: (visits[a], q[a], root.rank[a]))
        return Outcome(visits, [n / total for n in visits], q, root.mean, action)

    # ---- Gumbel ----

    def completed(self, node: Node) -> tuple[dict[int, float], dict[int, float]]:
        """Completed Q and sigma(completed Q) of every action that may be tried."""
        visited = {a: node.q(a) for a in node.children}
        mix = node.raw_value
        if visited:
            weight = sum(node.weights[a] for a in visited)
            mean = sum(node.weights[a] * q for a, q in visited.items()) / weight
            n = sum(self.visits(node, a) for a in visited)
            mix = (node.raw_value + n * mean) / (1 + n)
        values = {a: visited.get(a, mix) for a in node.weights}
        most = max((self.visits(node, a) for a in visited), default=0)
        sigma = (self.rules.c_visit + most) * self.rules.c_scale
        candidates = list(values.values())
        scaled = {
            a: (self.scaled(q, candidates) if a in visited else self.estimated(q, candidates)) if visited else 0.0
            for a, q in values.items()
        }
        return values, {a: sigma * q for a, q in scaled.items()}

    def gumbel_scores(self) -> dict[int, float]:
        _, sigma = self.completed(self.root)
        return {a: self.noise[a] + logit + sigma[a] for a, logit in self.logits.items()}

    def improved_scores(self, node: Node) -> dict[int, float]:
        _, sigma = self.completed(node)
        top = max(sigma.values())
        shares = {a: weight * math.exp(sigma[a] - top) for a, weight in node.weights.items()}
        total, n = sum(shares.values()), node.visits - 1
        return {a: share / total - self.visits(node, a) / (1 + n) for a, share in shares.items()}

    def gumbel_outcome(self) -> Outcome:
        values, sigma = self.completed(self.root)
        visits = [self.visits(self.root, a) for a in range(self.actions)]
        scores, most = self.gumbel_scores(), max(visits)
        action = max((a for a in scores if visits[a] == most), key=lambda a: (scores[a], self.order(a)))
        top = max(self.logits[a] + sigma[a] for a in self.logits)
        shares = {a: math.exp(self.logits[a] + sigma[a] - top) for a in self.logits}
        total = sum(shares.values())
        policy = [shares.get(a, 0.0) / total for a in range(self.actions)]
        value = sum(policy[a] * values[a] for a in values)
        return Outcome(visits, policy, [values.get(a, 0.0) for a in range(self.actions)], value, action)

    def order(self, action: int) -> tuple[float, int]:
        return self.noise[action] + self.logits[action], -action


def halving(considered: int, simulations: int) -> list[int]:
    """Sequential halving: the visit count that each simulation asks for (Danihelka et al. 2022, Algorithm 1)."""
    if considered == 1:
        return list(range(simulations))
    rounds = math.ceil(math.log2(considered))
    counts, table, left = [0] * considered, list[int](), considered
    while len(table) < simulations:
        for _ in range(max(1, simulations // (rounds * left))):
            table += counts[:left]
            counts[:left] = [n + 1 for n in counts[:left]]
        left = max(2, left // 2)
    return table[:simulations]
