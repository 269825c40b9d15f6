"""A search tree in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from muzero.inspection.position import PositionReport
from muzero.inspection.tree import SearchTree, TreeNode
from muzero.reports.inspection.markup import BEST
from muzero.reports.inspection.words import PICTURED, cut, label, marks

NAME = 24
"""Most characters of a move."""
LINE = f'color="{BEST}"'
"""Of the expected line."""
HEAD = """digraph tree {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];
  edge [arrowhead=none];
  fontname="sans-serif"; fontsize=11; labelloc=b;
"""


def text(report: PositionReport, tree: SearchTree) -> str:
    """The nodes shown in text and pictures; the expected line is bold and blue."""
    return HEAD + "".join(f"  {line}\n" for line in _statements(report, tree)) + "}\n"


def _statements(report: PositionReport, tree: SearchTree) -> Iterator[str]:
    yield f"label={quoted(PICTURED)};"
    shown = tree.limited(report.limits.depth, report.limits.children)
    for number in sorted(shown):
        node = tree.nodes[number]
        yield f"n{number} [label={quoted(_label(report, node))}{f', penwidth=2, {LINE}' if node.expected else ''}];"
        if node.parent >= 0:
            share = node.visits / tree.nodes[node.parent].visits
            yield f"n{node.parent} -> n{number} [penwidth={1 + 4 * share:.1f}{f', {LINE}' if node.expected else ''}];"


def _label(report: PositionReport, node: TreeNode) -> str:
    named = cut(f"{label(report, node)} {marks(node, True)}".strip(), NAME)
    value = f"value {node.value:+z.3f}" if node.parent < 0 else f"Q {node.q:+z.3f}  prior {node.prior:.1%}"
    return f"{named}\nvisits {node.visits:,}\n{value}"


def quoted(text: str) -> str:
    """A string of DOT. A backslash in it is one, not the beginning of an escape."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
