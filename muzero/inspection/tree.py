"""The tree of a search for people: names of moves, who moves, the expected line, and the real boards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from games.base import NO_PLAYER
from muzero.inspection.reached import Reached
from muzero.inspection.truth import Truth, by_the_rules
from muzero.search.nodes import Nodes

ROOT = 0
END = 0.5
"""A discount whose size is below: the model rather believes that the game is over."""


@dataclass(frozen=True)
class TreeNode:
    """A node of a tree, and the move that leads to it. The move's numbers are 0 for the root."""

    number: int
    """in the order of creation; 0 is the root"""
    parent: int
    """-1 for the root"""
    depth: int
    action: int
    visits: int
    """the network's own evaluation included"""
    prior: float
    reward: float
    """for the player who makes the move"""
    discount: float
    """signed"""
    raw_value: float
    """the network's value, for the player to move here"""
    value: float
    """mean return of the visits, for the player to move here"""
    q: float
    """value of the move, for the player who makes it"""
    mover: int
    """who makes the move; `NO_PLAYER` for the root"""
    player: int
    """who is to move here, as the model believes; `NO_PLAYER` where it rather believes that the game is over"""
    expected: bool
    """on the principal variation"""
    truth: Truth
    children: tuple[int, ...]
    """their numbers: the expected one, then by visits; those that were left out are missing"""
    family: int
    """number of all children that the search has made"""


@dataclass(frozen=True)
class SearchTree:
    """The most visited nodes of a searched tree."""

    nodes: Mapping[int, TreeNode]
    """by number; with each its parent"""
    total: int
    """nodes that the search has made"""
    deepest: int
    """depth of the deepest of these"""

    def limited(self, depth: int, children: int) -> dict[int, tuple[int, ...]]:
        """The children shown of each node, for a picture of at most this depth and so many children each."""
        shown: dict[int, tuple[int, ...]] = {}
        waiting = [ROOT]
        while waiting:
            number = waiting.pop()
            node = self.nodes[number]
            shown[number] = node.children[:children] if node.depth < depth else ()
            waiting += shown[number]
        return shown


def search_tree(nodes: Nodes, variation: list[int], reached: Reached, limit: int) -> SearchTree:
    """The `limit` most visited nodes and those of the principal variation."""
    depth = depths(nodes)
    expected = line(nodes, variation)
    kept = most_visited(nodes, limit) | set(expected)
    truths = by_the_rules(nodes, sorted(kept), reached)
    players = movers(nodes, int(reached.games.to_play()[0]), reached.games.spec.players)
    children = families(nodes, kept, set(expected))
    sizes = Counter(nodes.parent[1:].tolist())
    made = {
        number: TreeNode(
            number, int(nodes.parent[number]), depth[number], int(nodes.action[number]), int(nodes.visits[number]),
            float(nodes.prior[number]), float(nodes.reward[number]), float(nodes.discount[number]),
            float(nodes.raw_value[number]), float(nodes.value[number]), float(nodes.q[number]),
            NO_PLAYER if number == ROOT else players[int(nodes.parent[number])],
            believed(players[number], float(nodes.discount[number]), number), number in expected, truths[number],
            children[number], sizes[number])
        for number in sorted(kept)
    }
    return SearchTree(made, len(nodes.parent), max(depth))


def depths(nodes: Nodes) -> list[int]:
    """Of each node: moves from the root."""
    depth = [0]
    for parent in nodes.parent[1:].tolist():
        depth.append(depth[parent] + 1)
    return depth


def line(nodes: Nodes, variation: list[int]) -> list[int]:
    """The nodes of the principal variation, the root first."""
    found = [ROOT]
    edges = {(parent, action): number for number, (parent, action)
             in enumerate(zip(nodes.parent.tolist(), nodes.action.tolist(), strict=True))}
    for action in variation:
        number = edges.get((found[-1], action))
        if number is None:
            break
        found.append(number)
    return found


def most_visited(nodes: Nodes, limit: int) -> set[int]:
    """The numbers of the `limit` most visited nodes. A parent has more visits than its child."""
    order = np.lexsort((np.arange(len(nodes.visits)), -nodes.visits))
    return {ROOT, *order[:limit].tolist()}


def movers(nodes: Nodes, player: int, players: int) -> list[int]:
    """Who is to move at each node, by the signs of the discounts; at an end, who would be."""
    found = [player]
    for parent, discount in zip(nodes.parent[1:].tolist(), nodes.discount[1:].tolist(), strict=True):
        found.append(found[parent] if discount > 0 or players == 1 else 1 - found[parent])
    return found


def believed(player: int, discount: float, number: int) -> int:
    """The player to move, or `NO_PLAYER` where the model rather believes in an end."""
    return NO_PLAYER if number != ROOT and abs(discount) < END else player


def families(nodes: Nodes, kept: set[int], expected: set[int]) -> dict[int, tuple[int, ...]]:
    """The children kept of each node: the expected one, then by visits, then by Q."""
    found: dict[int, list[int]] = defaultdict(list)
    for number in kept - {ROOT}:
        found[int(nodes.parent[number])].append(number)
    return {number: tuple(sorted(found[number], key=lambda child: (
        child not in expected, -nodes.visits[child], -nodes.q[child], child))) for number in kept}
