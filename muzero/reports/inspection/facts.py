"""All that is known of a node of a tree, in words that say for whom each value is."""

from __future__ import annotations

from games.base import NO_PLAYER
from muzero.inspection.position import PositionReport
from muzero.inspection.tree import ROOT, SearchTree, TreeNode
from muzero.reports.inspection.words import LEGEND, for_whom, marks, sign

Fact = tuple[str, str]


def facts(report: PositionReport, tree: SearchTree, node: TreeNode) -> list[Fact]:
    """Name and value of each; the move's first."""
    edge = [] if node.parent < 0 else _edge(report, node)
    mark = marks(node, True)
    total = tree.nodes[ROOT].visits
    return [*edge, ("visits", f"{node.visits:,} of {total:,}"), *_node(report, node),
            ("number", f"{node.number} in the order of creation"), *([("note", LEGEND[mark])] if mark else [])]


def _edge(report: PositionReport, node: TreeNode) -> list[Fact]:
    """The move that leads to the node."""
    mover = for_whom(report, node.mover)
    return [("move", node.truth.name + mover.replace(" for", " by", 1)),
            ("Q", f"{node.q:+z.3f}{mover}"), ("prior", f"{node.prior:.1%}"),
            ("reward", f"{node.reward:+z.3f}{mover}"), ("discount", f"{node.discount:+z.3f}{_next(report, node)}")]


def _next(report: PositionReport, node: TreeNode) -> str:
    if node.player == NO_PLAYER:
        return " (the end)"
    who = sign(report, node.player, True)
    return f" ({who} moves next)" if who else ""


def _node(report: PositionReport, node: TreeNode) -> list[Fact]:
    """The position: at an end, there is no value that means anything."""
    if node.player == NO_PLAYER:
        return []
    who = for_whom(report, node.player)
    return [("value", f"{node.value:+z.3f}{who}, mean of the visits"),
            ("network", f"{node.raw_value:+z.3f}{who}, without search")]
