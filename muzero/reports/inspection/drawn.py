"""An inspection as a file: its tree as DOT or SVG, or all of it as a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from muzero.inspection.position import PositionReport
from muzero.inspection.tree import SearchTree
from muzero.reports.inspection import dot, page, svg

FORMS: Mapping[str, Callable[[PositionReport, SearchTree], str]] = {
    ".html": page.text, ".svg": svg.text, ".dot": dot.text,
}
"""Ending of a file's name -> what is in it."""


def drawn(report: PositionReport, ending: str) -> str:
    """The content of a file with this ending, one of `FORMS`. Raises ValueError for a report without a tree."""
    if report.tree is None:
        raise ValueError(f"expected a report with a tree, got one without: {report.no_tree}")
    return FORMS[ending](report, report.tree)
