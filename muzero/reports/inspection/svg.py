"""A search tree as an SVG picture: from left to right, the expected line in colour, all numbers on hovering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from muzero.inspection.position import PositionReport
from muzero.inspection.tree import ROOT, SearchTree, TreeNode
from muzero.reports.inspection.facts import facts
from muzero.reports.inspection.layout import tidy
from muzero.reports.inspection.markup import COLOURS, element, escaped
from muzero.reports.inspection.words import PICTURED, cut, heading, label, marks, short_sign

WIDTH, HEIGHT = 150, 40
"""Of a node's box."""
ACROSS, DOWN = 196, 50
"""From column to column, from row to row."""
EDGE, TOP = 14, 60
NARROWEST = 540
"""Room for the legend."""
NAME = 14
"""Most characters of a move."""
STYLE = COLOURS + """
svg { background: var(--ground); font: 12px system-ui, sans-serif; fill: var(--ink); }
rect.box { fill: var(--card); stroke: var(--line); }
.best rect.box { stroke: var(--best); stroke-width: 2; }
rect.visits { fill: var(--bar); stroke: none; }
path { fill: none; stroke: var(--line); }
path.best { stroke: var(--best); }
.title { font-weight: 600; font-size: 14px; }
.soft { fill: var(--soft); }
.name { font-weight: 600; }
.p0 { fill: var(--first); } .p1 { fill: var(--second); } .bad { fill: var(--bad); }
"""


def text(report: PositionReport, tree: SearchTree) -> str:
    """The nodes shown in text and pictures."""
    shown = tree.limited(report.limits.depth, report.limits.children)
    places = tidy(shown, ROOT)
    corners = {number: (EDGE + column * ACROSS, TOP + row * DOWN) for number, (column, row) in places.items()}
    width = max(NARROWEST, max(x for x, _ in corners.values()) + WIDTH + EDGE)
    height = max(y for _, y in corners.values()) + HEIGHT + EDGE
    title = cut(heading(report), width // 8)
    body = "\n".join([
        element("title", escaped(f"Search tree of {report.agent}: {title}")), element("style", STYLE),
        element("text", escaped(title), x=EDGE, y=26, class_="title"),
        element("text", f"{PICTURED}; bar: share of all visits", x=EDGE, y=44, class_="soft"),
        *_edges(tree, corners), *(_box(report, tree, number, corners[number]) for number in sorted(corners))])
    return element("svg", f"\n{body}\n", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}",
                   width=f"{width:g}", height=f"{height:g}", role="img") + "\n"


def _edges(tree: SearchTree, corners: Mapping[int, tuple[float, float]]) -> Iterator[str]:
    """Curves from parents to children, as wide as their share of the visits."""
    for number, (x, y) in sorted(corners.items(), key=lambda item: tree.nodes[item[0]].expected):
        node = tree.nodes[number]
        if number == ROOT:
            continue
        left, above = corners[node.parent]
        left, above, below, middle = left + WIDTH, above + HEIGHT / 2, y + HEIGHT / 2, (left + WIDTH + x) / 2
        share = node.visits / tree.nodes[node.parent].visits
        yield element("path", d=f"M{left:g} {above:g}C{middle:g} {above:g} {middle:g} {below:g} {x:g} {below:g}",
                      stroke_width=f"{1 + 5 * share:.1f}", class_="best" if node.expected else None)


def _box(report: PositionReport, tree: SearchTree, number: int, corner: tuple[float, float]) -> str:
    node = tree.nodes[number]
    share = node.visits / tree.nodes[ROOT].visits
    parts = [
        element("title", escaped("\n".join(f"{name}: {value}" for name, value in facts(report, tree, node)))),
        element("rect", class_="box", width=WIDTH, height=HEIGHT, rx=6),
        element("rect", class_="visits", x=6, y=HEIGHT - 5, width=f"{share * (WIDTH - 12):.1f}", height=3),
        element("text", _name(report, node), x=8, y=16),
        element("text", f"{node.visits:,}", x=WIDTH - 8, y=16, text_anchor="end", class_="soft"),
        element("text", _numbers(node), x=8, y=31, class_="soft"),
    ]
    return element("g", "".join(parts), transform=f"translate({corner[0]:g} {corner[1]:g})",
                   class_="best" if node.expected else None)


def _name(report: PositionReport, node: TreeNode) -> str:
    """The move in two colours: whose it is, and its name."""
    if node.parent < 0:
        return element("tspan", escaped(label(report, node)), class_="name")
    who, mark = short_sign(report, node.mover, True), marks(node, True)
    parts = [element("tspan", escaped(who) + " ", class_=f"p{node.mover}") if who else "",
             element("tspan", escaped(cut(node.truth.name, NAME)), class_="name"),
             element("tspan", " " + mark, class_="bad") if mark else ""]
    return "".join(parts)


def _numbers(node: TreeNode) -> str:
    if node.parent < 0:
        return f"value {node.value:+z.3f}"
    return f"Q {node.q:+z.3f}   prior {node.prior:.0%}"
