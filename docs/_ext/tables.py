"""Tables of the site: columns of words keep a width that can be read on a phone, tables of many columns may be wide."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

SIZES = ((60, "prose"), (18, "sentence"), (12, "phrase"))
"""Characters of a column's longest cell, above which its cells have that class."""
LEAST, MOST, WIDE = 10, 60, 80
"""A column counts for at least and at most so many characters; a table of more than so many is wide."""


def columns(table: nodes.table) -> list[list[nodes.entry]]:
    """The cells of each column, its head included."""
    rows = [list(row.findall(nodes.entry)) for row in table.findall(nodes.row)]
    return [[row[place] for row in rows if place < len(row)] for place in range(max(map(len, rows), default=0))]


def mark(table: nodes.table) -> None:
    """Give cells and table the classes that `site.css` knows."""
    total = 0
    for cells in columns(table):
        longest = max(len(cell.astext()) for cell in cells)
        total += min(max(longest, LEAST), MOST)
        size = next((name for least, name in SIZES if longest > least), None)
        for cell in cells:
            cell["classes"] += [size] if size else []
    if total > WIDE:
        table["classes"].append("wide")


class Widths(SphinxPostTransform):
    """Marks every table of a page."""

    default_priority = 500

    def run(self, **_: Any) -> None:
        for table in self.document.findall(nodes.table):
            mark(table)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_post_transform(Widths)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
