"""Boards as pieces of SVG: the empty board and each piece are drawn once, and every position uses them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from muzero.play.board import Board, Cell, Drawing
from muzero.play.drawing import KINGS
from muzero.reports.inspection.markup import element, escaped

STEP, ROW = 10.0, 8.66
"""Width and height of a cell, and the distance of rows of hexagons."""
MARGIN = 8.0
"""For the names of columns and rows."""
SCALE, WIDEST = 0.16, 15.0
"""Width of a picture for each unit of the board, and the largest, in rem."""
STYLE = """
.board { width: 100%; height: auto; font: 5px system-ui, sans-serif; text-anchor: middle; }
.cell { fill: var(--ground); stroke: var(--line); stroke-width: .5; }
.label { fill: var(--soft); }
.stone0 { fill: var(--first); } .stone1 { fill: #f0c040; stroke: var(--second); stroke-width: .5; }
.letter0 { fill: var(--first); } .letter1 { fill: var(--second); }
.cross { fill: none; stroke: var(--first); stroke-width: 1.6; stroke-linecap: round; }
.nought { fill: none; stroke: var(--second); stroke-width: 1.6; }
.crown { fill: var(--ground); font-weight: 700; }
.letter { font-size: 7.5px; font-weight: 700; }
.new { fill: none; stroke: var(--best); stroke-width: 1; }
.wrong { fill: none; stroke: var(--bad); stroke-width: 1; stroke-dasharray: 2 1; }
"""
"""Style sheet. No rule names an ancestor: what is used elsewhere has none there."""


def centre(board: Board, cell: Cell) -> tuple[float, float]:
    """The middle of a cell."""
    row, column = cell
    skewed = board.drawing.style == "skewed"
    shift = STEP / 2 * row if skewed else 0.0
    return MARGIN + STEP * (column + 0.5) + shift, MARGIN + (ROW if skewed else STEP) * (row + 0.5)


def size(board: Board) -> tuple[float, float]:
    """Width and height of the whole board."""
    x, y = centre(board, (len(board.rows) - 1, len(board.rows[0]) - 1))
    return x + STEP / 2 + 1, y + STEP / 2 + 1


def defined(board: Board) -> str:
    """What all positions of this board use, in an image of no size."""
    parts = [element("g", "".join(_empty(board)), id="empty"), *_pieces(board.drawing)]
    return element("svg", element("defs", "".join(parts)), width=0, height=0, class_="board", aria_hidden="true",
                   style="position:absolute")


def picture(board: Board, added: Collection[Cell] = (), wrong: Collection[Cell] = ()) -> str:
    """A position. added: cells in a ring; wrong: cells in a ring of dashes."""
    width, height = size(board)
    cells = [(row, column) for row in range(len(board.rows)) for column in range(len(board.rows[0]))]
    parts = ['<use href="#empty"/>', *(_piece(board, cell) for cell in cells)]
    parts += [_ring(board, cell, "new") for cell in sorted(added)]
    parts += [_ring(board, cell, "wrong") for cell in sorted(wrong)]
    rows = escaped(" / ".join(board.rows))
    return element("svg", "".join(parts), class_="board", viewBox=f"0 0 {width:g} {height:g}", role="img",
                   style=f"max-width:{min(WIDEST, width * SCALE):.1f}rem", aria_label=f"board {rows}")


def _empty(board: Board) -> Iterator[str]:
    for row in range(len(board.rows)):
        for column in range(len(board.rows[0])):
            yield _cell(board, (row, column))
    for column in range(len(board.rows[0])):
        x, y = centre(board, (0, column))
        yield _label(str(column + 1) if board.drawing.style == "columns" else board.drawing.letters[column], x, y - 6.5)
    if board.drawing.style != "columns":
        for row in range(len(board.rows)):
            x, y = centre(board, (row, 0))
            yield _label(board.name((row, 0))[1:], x - 9, y + 2)


def _label(name: str, x: float, y: float) -> str:
    return element("text", escaped(name), x=f"{x:g}", y=f"{y:g}", class_="label")


def _cell(board: Board, cell: Cell) -> str:
    x, y = centre(board, cell)
    if board.drawing.style == "skewed":
        half, edge = STEP / 2, STEP / 2 / 0.866
        corners = ((0, -edge), (half, -edge / 2), (half, edge / 2), (0, edge), (-half, edge / 2), (-half, -edge / 2))
        return element("polygon", points=" ".join(f"{x + a:.2f},{y + b:.2f}" for a, b in corners), class_="cell")
    return element("rect", x=f"{x - STEP / 2:g}", y=f"{y - STEP / 2:g}", width=STEP, height=STEP, class_="cell")


def _pieces(drawing: Drawing) -> Iterator[str]:
    """Both players' stones, around the point (0, 0)."""
    if drawing.style == "grid":
        yield element("path", id="s0", class_="cross", d="M-3 -3L3 3M3 -3L-3 3")
        yield element("circle", id="s1", class_="nought", r=3.2)
        return
    for player in (0, 1):
        yield element("circle", id=f"s{player}", class_=f"stone{player}", r=3.8)


def _piece(board: Board, cell: Cell) -> str:
    owner = board.owner(cell)
    if owner is None:
        return ""
    (x, y), sign = centre(board, cell), board.rows[cell[0]][cell[1]]
    if board.drawing.own_letters:
        return element("text", escaped(sign), x=f"{x:g}", y=f"{y + 2.6:g}", class_=f"letter letter{owner}")
    crown = element("text", "♛", x=f"{x:g}", y=f"{y + 1.8:g}", class_="crown") if sign in KINGS else ""
    return f'<use href="#s{owner}" x="{x:g}" y="{y:g}"/>{crown}'


def _ring(board: Board, cell: Cell, kind: str) -> str:
    x, y = centre(board, cell)
    return element("circle", cx=f"{x:g}", cy=f"{y:g}", r=4.6, class_=kind)
