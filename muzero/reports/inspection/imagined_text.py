"""The imagined game beside the real one, as text in 80 columns: a block for each ply."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from games.base import NO_PLAYER
from muzero.inspection.imagined import Imagination, Imagined, Ply, Real, Share
from muzero.inspection.position import PositionReport
from muzero.play import drawing
from muzero.reports.inspection.words import ILLEGAL, cut, percent, sign
from muzero.view.terminal import Ink, table
from muzero.view.wrapping import shown, wrapped

WIDTH, GAP = 80, "   "
POLICY = 36
"""Most columns of the likeliest moves."""
HEADING = "Imagined beside real"
KEY = ("value, policy: of the network, for the player to move; reward: for the player who moved.",
       "Imagined: after all moves from the position on, without the game.")
BOARDS = f"Boards: brackets: the last move; {drawing.WRONG}: differs from the real board."


def text(report: PositionReport, found: Imagination, pen: Ink, fancy: bool) -> str:
    """All plies, then what the columns mean and what is missing."""
    blocks = [ply(report, one, number, pen, fancy, found.replayed) for number, one in enumerate(found.plies)]
    about = (BOARDS,) if compares(found) else ()
    notes = [part for note in (*about, *KEY, *found.notes) for part in wrapped(note, WIDTH)]
    return "\n\n".join([HEADING, *blocks, "\n".join(notes)])


def compares(found: Imagination) -> bool:
    """Whether there is a board to be compared with the real one."""
    return any(one.imagined.decoded is not None and one.imagined.decoded.board is not None for one in found.plies)


def ply(report: PositionReport, one: Ply, number: int, pen: Ink, fancy: bool, replayed: bool) -> str:
    """One ply: the boards, and a table of what both say."""
    none = f"{ILLEGAL[fancy]} no real position: the rules don't allow it" if one.real is None and replayed else ""
    parts = [title(report, one, number, pen, fancy), none, boards(one, pen, fancy),
             numbers(one.imagined, one.real, fancy)]
    return "\n".join(part for part in parts if part)


def title(report: PositionReport, one: Ply, number: int, pen: Ink, fancy: bool) -> str:
    """`ply 2: X plays b3`."""
    if one.mover == NO_PLAYER:
        return f"ply {number}: the position"
    who = sign(report, one.mover, fancy, pen)
    return f"ply {number}: {who + ' plays ' if who else ''}{cut(one.name, 40, fancy)}"


def boards(one: Ply, pen: Ink, fancy: bool) -> str:
    """The real board and the decoded one beside it, or below it where both don't fit; empty without either."""
    decoded = one.imagined.decoded
    real = [] if one.real is None else ["real", *drawing.picture(one.real.position, pen, fancy).splitlines()]
    if decoded is None or decoded.board is None:
        return "\n".join(real[1:])
    heading = "imagined" if not decoded.wrong else f"imagined ({len(decoded.wrong)} wrong: {drawing.WRONG})"
    found = [heading, *drawing.draw(decoded.board, pen, fancy, wrong=decoded.wrong).splitlines()]
    return "\n".join(beside(real, found))


def beside(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Two blocks of lines beside each other, or one below the other where they don't fit. Colours take no place."""
    wide = max((shown(line) for line in left), default=0)
    if not left or wide + len(GAP) + max(map(shown, right)) > WIDTH:
        return [*left, *right]
    return [(one + " " * (wide - shown(one)) + GAP + other).rstrip()
            for one, other in zip_longest(left, right, fillvalue="")]


def numbers(imagined: Imagined, real: Real | None, fancy: bool) -> str:
    """What the real position and the imagined one say, a line each."""
    rows = [("imagined", _number(imagined.reward), percent(imagined.end), f"{imagined.value:+z.3f}",
             percent(imagined.legal), policy(imagined.best, fancy))]
    if real is not None:
        rows.insert(0, ("real", _number(real.reward), "over" if real.over else "goes on",
                        "" if real.value is None else f"{real.value:+z.3f}", "", policy(real.best, fancy)))
    return table(("", "reward", "P(end)", "value", "legal", "policy"), rows, left=(0, 5))


def policy(best: Sequence[Share], fancy: bool) -> str:
    """The likeliest moves, as many as fit."""
    parts = [f"{cut(one.name, POLICY - 8, fancy)}{ILLEGAL[fancy] if one.legal is False else ''} {one.probability:.0%}"
             for one in best]
    while len(told := "  ".join(parts)) > POLICY:
        parts.pop()
    return told


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:+z.2f}"
