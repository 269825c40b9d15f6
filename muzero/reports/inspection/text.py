"""An agent's thoughts about a position as text: what its network says, beside what its search says."""

from __future__ import annotations

import sys

from games.own_names import short_name
from muzero.inspection.position import Candidate, PositionReport
from muzero.play import drawing
from muzero.reports.inspection import imagined_text, tree_text, words
from muzero.reports.inspection.words import cut, sign
from muzero.view.terminal import Ink, bar, ink, printable, table, unicode_ok
from muzero.view.wrapping import wrapped

LISTED = 12
"""Most moves in the table."""
BAR, NAME, COLUMNS = 12, 24, 80


def text(report: PositionReport, pen: Ink, fancy: bool) -> str:
    """The whole report, in lines of at most 80 columns."""
    parts = [folded(title(report, pen, fancy)), drawing.picture(report.position, pen, fancy), values(report),
             moves(report, fancy), expected(report, fancy), tree(report, fancy)]
    if report.imagination is not None:
        parts.append(imagined_text.text(report, report.imagination, pen, fancy))
    return "\n\n".join([*parts, *([folded(report.no_imagination)] if report.no_imagination else [])])


def folded(text: str) -> str:
    """Long lines of words on several lines."""
    return "\n".join(part for line in text.split("\n") for part in wrapped(line, COLUMNS))


def title(report: PositionReport, pen: Ink, fancy: bool) -> str:
    """Game, moves, player to move, agent."""
    made = f"after {' '.join(report.moves)}" if report.moves else "the start"
    who = sign(report, report.player, fancy, pen)
    return (f"{printable(f'{short_name(report.spec.name)}, {made}')}{f', {who} to move' if who else ''}\n"
            f"{printable(report.agent)}, step {report.step:,}, {report.effort}")


def values(report: PositionReport) -> str:
    """The value before and after search."""
    who = "" if report.spec.players == 1 else ", for the player to move"
    return table(("", f"value{who}"), words.values(report), left=(0, 1))


def moves(report: PositionReport, fancy: bool) -> str:
    """A row for each of the best moves."""
    shown = report.candidates[:LISTED]
    most = max(1, *(one.visits for one in report.candidates))
    header = ("move", "network", "search", "visits", "", "Q")
    rest = len(report.candidates) - len(shown)
    return table(header, [_row(one, most, fancy) for one in shown], left=(0, 4)) + (
        f"\n... and {rest:,} more" if rest else "")


def _row(one: Candidate, most: int, fancy: bool) -> tuple[str, ...]:
    return (cut(one.name, NAME, fancy), f"{one.prior:.1%}", f"{one.policy:.1%}", f"{one.visits:,}",
            bar(one.visits / most, BAR, fancy) if one.visits else "", "" if one.q is None else f"{one.q:+z.3f}")


def expected(report: PositionReport, fancy: bool) -> str:
    """The line that the search expects."""
    return "\n".join(wrapped(f"expects  {printable(report.line.text(fancy))}", COLUMNS, 9))


def tree(report: PositionReport, fancy: bool) -> str:
    """The searched tree, or why there is none."""
    return folded(report.no_tree) if report.tree is None else tree_text.text(report, report.tree, fancy)


def screen(report: PositionReport) -> str:
    """The report for standard output."""
    return text(report, ink(sys.stdout), unicode_ok(sys.stdout))
