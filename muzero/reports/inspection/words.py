"""Words and signs of an inspection: players, moves, and what is to be said of a node."""

from __future__ import annotations

from games.base import NO_PLAYER
from games.own_names import short_name
from muzero.inspection.position import PositionReport
from muzero.inspection.tree import TreeNode
from muzero.play import drawing
from muzero.play.board import OWN_SIGNS
from muzero.view.terminal import Ink, printable

ILLEGAL, OVER, ENDS = {True: "✗", False: "!"}, {True: "■", False: "#"}, {True: "□", False: "?"}
"""Signs of nodes; True: Unicode, False: ASCII only."""
LEGEND = {
    ILLEGAL[True]: "not possible: the model is learned", OVER[True]: "the game is over",
    ENDS[True]: "the model believes that the game is over",
}
PICTURED = "blue: the expected line; width of a line: share of the visits"
"""Of pictures of a tree."""
LETTERED, NUMBERED = ("black", "white"), ("player 0", "player 1")
"""Players whose pieces are letters, and those whose pieces aren't known."""
START = "the position"


def heading(report: PositionReport) -> str:
    """The game, and the moves that led to the position."""
    return f"{short_name(report.spec.name)}, {' '.join(report.moves) or 'the start'}"


def values(report: PositionReport) -> list[tuple[str, str]]:
    """The value of the position by the network, and by the search if there was one: whose it is, and the number."""
    found = [("the network alone", report.network_value), ("after the search", report.value)]
    return [(name, f"{value:+z.3f}") for name, value in found[: 2 if report.planner else 1]]


def percent(share: float | None) -> str:
    """A share in [0, 1], up to rounding; empty where it isn't known."""
    return "" if share is None else f"{min(1.0, share):.1%}"


def sign(report: PositionReport, player: int, fancy: bool, pen: Ink | None = None) -> str:
    """A player as the board shows him; empty in a game of one."""
    if player == NO_PLAYER or report.spec.players == 1:
        return ""
    board = report.position.board
    if board is not None and not board.drawing.own_letters:
        return drawing.stone(board.drawing, player, pen or Ink(False), fancy)
    signs = LETTERED if board is not None else OWN_SIGNS.get(report.spec.name.partition("(")[0], NUMBERED)
    return signs[player].partition(" (")[0]


def short_sign(report: PositionReport, player: int, fancy: bool) -> str:
    """The same in one character."""
    found = sign(report, player, fancy)
    return str(player) if found in NUMBERED else found[:1]


def for_whom(report: PositionReport, player: int) -> str:
    """` for X`; empty in a game of one."""
    found = sign(report, player, True)
    return f" for {found}" if found else ""


def cut(text: str, longest: int, fancy: bool = True) -> str:
    """`text` on one line without control codes, shortened at its end."""
    clean = printable(text).replace("\n", " ")
    end = "…" if fancy else "~"
    return clean if len(clean) <= longest else clean[: max(0, longest - 1)] + end


def label(report: PositionReport, node: TreeNode, fancy: bool = True) -> str:
    """The move that leads to a node, and whose it is."""
    if node.parent < 0:
        return START
    return f"{short_sign(report, node.mover, fancy)} {node.truth.name}".strip()


def marks(node: TreeNode, fancy: bool) -> str:
    """Signs of what is to be said of a node."""
    if node.truth.possible is False:
        return ILLEGAL[fancy]
    if node.truth.over:
        return OVER[fancy]
    return ENDS[fancy] if node.parent >= 0 and node.player == NO_PLAYER else ""
