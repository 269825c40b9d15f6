"""A search tree as text in 80 columns, the expected line marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from muzero.inspection.position import PositionReport
from muzero.inspection.tree import ROOT, SearchTree, TreeNode
from muzero.reports.inspection.words import ENDS, ILLEGAL, LEGEND, OVER, cut, label, marks
from muzero.view.terminal import counted

LABEL = 36
"""Columns of branches and moves."""
HEADER = f"{'':<{LABEL}}{'visits':>7}{'prior':>8}{'Q':>9}{'value':>9}{'network':>9}"
BRANCHES = {True: ("├─ ", "└─ ", "├▸ ", "└▸ ", "│  "), False: ("|- ", "`- ", "|> ", "`> ", "|  ")}
"""A child and the last one, the same on the expected line, and what goes on beside; True: Unicode, False: ASCII only.
"""


def text(report: PositionReport, tree: SearchTree, fancy: bool) -> str:
    """Heading, a line for each node, and what the columns mean."""
    shown = tree.limited(report.limits.depth, report.limits.children)
    lines = [HEADER, *_lines(report, tree, shown, ROOT, "", "", fancy)]
    return "\n".join([heading(tree), "", *(line.rstrip() for line in lines), "", *legend(tree, shown, fancy)])


def heading(tree: SearchTree) -> str:
    """The size of the tree."""
    left = tree.total - len(tree.nodes)
    return (f"The search tree: {counted(tree.total, 'node')}, at most {counted(tree.deepest, 'move')} deep"
            + (f" (without the {left:,} least visited)" if left else ""))


def _lines(
    report: PositionReport, tree: SearchTree, shown: Mapping[int, tuple[int, ...]], number: int, stem: str, below: str,
    fancy: bool,
) -> Iterator[str]:
    """A node's line and those below it. stem: what stands before its move; below: before those of its children."""
    node = tree.nodes[number]
    yield row(report, node, stem, fancy)
    usual, last, expected, last_expected, goes_on = BRANCHES[fancy]
    children, hidden = shown[number], node.family - len(shown[number])
    more = hidden > 0 and bool(children)
    for place, child in enumerate(children):
        ends = place == len(children) - 1 and not more
        branch = (last_expected if ends else expected) if tree.nodes[child].expected else last if ends else usual
        yield from _lines(report, tree, shown, child, below + branch, below + ("   " if ends else goes_on), fancy)
    if more:
        yield f"{below}{last}... {hidden:,} more"


def row(report: PositionReport, node: TreeNode, stem: str, fancy: bool) -> str:
    """One node: its move, and its numbers."""
    mark = marks(node, fancy)
    room = LABEL - len(stem) - (len(mark) + 1 if mark else 0) - 1
    named = stem + cut(label(report, node, fancy), room, fancy) + (f" {mark}" if mark else "")
    edge = f"{'':>8}{'':>9}" if node.parent < 0 else f"{node.prior:>8.1%}{node.q:>+z9.3f}"
    return f"{named:<{LABEL}}{node.visits:>7,}{edge}{node.value:>+z9.3f}{node.raw_value:>+z9.3f}"


def legend(tree: SearchTree, shown: Mapping[int, tuple[int, ...]], fancy: bool) -> list[str]:
    """What columns and signs mean; only of signs that are there."""
    used = {marks(tree.nodes[number], True) for number in shown}
    signs = [f"{sign[fancy]} {LEGEND[sign[True]]}" for sign in (ILLEGAL, OVER, ENDS) if sign[True] in used]
    return ["Q: of the move, for the player who makes it. value: mean of the visits, and",
            "network: the network alone, for the player to move after it.",
            f"{BRANCHES[fancy][2].strip()} the expected line", *signs]
