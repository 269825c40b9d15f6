"""An agent's thoughts about a position as text: what its network says, beside what its search says."""

from __future__ import annotations

import sys

from games.own_names import short_name
from muzero.inspection.position import Candidate, PositionReport
from muzero.play import drawing
from muzero.play.board import OWN_SIGNS
from muzero.view.terminal import Ink, bar, ink, printable, table, unicode_ok

LISTED = 12
"""Most moves in the table."""
BAR = 12


def text(report: PositionReport, pen: Ink, fancy: bool) -> str:
    """The whole report, in lines of at most 80 columns."""
    return "\n\n".join([title(report, pen, fancy), drawing.picture(report.position, pen, fancy), values(report),
                        moves(report, fancy), expected(report, fancy)])


def title(report: PositionReport, pen: Ink, fancy: bool) -> str:
    """Game, moves, player to move, agent."""
    made = f"after {' '.join(report.moves)}" if report.moves else "the start"
    mover = "" if report.spec.players == 1 else f", {sign(report, report.player, pen, fancy)} to move"
    return (f"{printable(f'{short_name(report.spec.name)}, {made}')}{mover}\n"
            f"{printable(report.agent)}, step {report.step:,}, {report.effort}")


def sign(report: PositionReport, player: int, pen: Ink, fancy: bool) -> str:
    """A player as the board shows him."""
    if report.position.board is not None:
        return drawing.stone(report.position.board.drawing, player, pen, fancy)
    return OWN_SIGNS.get(report.spec.name.partition("(")[0], ("player 0", "player 1"))[player]


def values(report: PositionReport) -> str:
    """The value before and after search."""
    who = "" if report.spec.players == 1 else ", for the player to move"
    return table(("", f"value{who}"), [("the network alone", f"{report.network_value:+z.3f}"),
                                       ("after the search", f"{report.value:+z.3f}")], left=(0, 1))


def moves(report: PositionReport, fancy: bool) -> str:
    """A row for each of the best moves."""
    shown = report.candidates[:LISTED]
    most = max(1, *(one.visits for one in report.candidates))
    header = ("move", "network", "search", "visits", "", "Q")
    rest = len(report.candidates) - len(shown)
    return table(header, [_row(one, most, fancy) for one in shown], left=(0, 4)) + (
        f"\n... and {rest:,} more" if rest else "")


def _row(one: Candidate, most: int, fancy: bool) -> tuple[str, ...]:
    return (printable(one.name), f"{one.prior:.1%}", f"{one.policy:.1%}", f"{one.visits:,}",
            bar(one.visits / most, BAR, fancy) if one.visits else "", "" if one.q is None else f"{one.q:+z.3f}")


def expected(report: PositionReport, fancy: bool) -> str:
    """The line that the search expects."""
    return f"expects  {printable(report.line.text(fancy))}"


def screen(report: PositionReport) -> str:
    """The report for standard output."""
    return text(report, ink(sys.stdout), unicode_ok(sys.stdout))
