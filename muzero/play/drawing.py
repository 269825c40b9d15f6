"""Boards drawn for a terminal: coloured stones, coordinates, the newest stone marked."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from muzero.play.board import Board, Cell, Drawing
from muzero.play.session import Position
from muzero.view.terminal import Ink
from muzero.view.wrapping import plain

FIRST, SECOND = ("red", "bold"), ("yellow", "bold")
"""Colours of player 0 and player 1."""
ROUND = {True: ("●", "○"), False: ("X", "O")}
"""Stones of player 0 and player 1; True: Unicode, False: ASCII only."""
CROSSES = {True: ("X", "O"), False: ("X", "O")}
WRONG = "!"
"""Stands behind what is not as it should be."""
KINGS = {"8": ("◆", "K"), "*": ("◇", "Q")}
"""Crowned pieces of checkers: in Unicode, and in ASCII."""


def picture(position: Position, pen: Ink, fancy: bool) -> str:
    """A position, the newest stones in brackets: its board, or the game's own text."""
    if position.board is not None:
        return draw(position.board, pen, fancy, position.added, position.possible)
    # A game's own text has no control codes unless they are allowed.
    lines = (position.text if pen.on else plain(position.text)).splitlines()
    if len(position.returns) == 1:
        # The game's own text may not show the step and return.
        lines.insert(0, f"step {position.moves}   return so far {position.returns[0]:g}")
    return "\n".join(f"  {line}" for line in lines)


def draw(
    board: Board, pen: Ink, fancy: bool, marked: Collection[Cell] = (), possible: Collection[Cell] = (),
    wrong: Collection[Cell] = (),
) -> str:
    """The board as text. `marked` cells are put in brackets; `possible` ones get a `+`; `!` stands behind `wrong` ones.
    """
    cells = [
        [_wrong(board, (row, column), pen, fancy) if (row, column) in wrong else
         _cell(board, (row, column), pen, fancy, (row, column) in marked, (row, column) in possible)
         for column in range(len(board.rows[0]))]
        for row in range(len(board.rows))
    ]
    if board.drawing.style == "columns":
        return _columns(cells, pen, fancy)
    if board.drawing.style == "grid":
        return _grid(board, cells, pen, fancy)
    return _dots(board, cells, pen, skew=board.drawing.style == "skewed")


def stone(drawing: Drawing, player: int, pen: Ink, fancy: bool) -> str:
    """One player's piece, as drawn."""
    shape = drawing.stones[player][-1] if drawing.own_letters else shapes(drawing)[fancy][player]
    return pen(shape, *(FIRST, SECOND)[player])


def shapes(drawing: Drawing) -> Mapping[bool, tuple[str, str]]:
    """Both players' pieces; True: Unicode, False: ASCII only."""
    return CROSSES if drawing.style == "grid" else ROUND


def _cell(board: Board, cell: Cell, pen: Ink, fancy: bool, marked: bool, possible: bool) -> str:
    """Three characters: a piece, in brackets if it is new, or an empty cell."""
    owner = board.owner(cell)
    if owner is None:
        open_place = board.drawing.style in ("grid", "columns")
        empty = "+" if possible else " " if open_place else "·" if fancy else "."
        return f" {empty if empty == ' ' else pen(empty, 'dim')} "
    character = board.rows[cell[0]][cell[1]]
    shape = shapes(board.drawing)[fancy][owner]
    if board.drawing.own_letters:
        shape = character
    elif character in KINGS:
        shape = KINGS[character][0 if fancy else 1]
    piece = pen(shape, *(FIRST, SECOND)[owner])
    return f"({piece})" if marked else f" {piece} "


def _wrong(board: Board, cell: Cell, pen: Ink, fancy: bool) -> str:
    """Three characters: a piece or an empty cell, and a sign that it should be another."""
    return _cell(board, cell, pen, fancy, False, False)[:-1] + WRONG


def _columns(cells: list[list[str]], pen: Ink, fancy: bool) -> str:
    """Connect Four: numbered columns in a frame."""
    side, floor, left, middle, right = "│─└┴┘" if fancy else "|-+++"
    wall = pen(side, "blue")
    numbers = "  " + "".join(f"  {column + 1} " for column in range(len(cells[0])))
    rows = ["  " + wall + wall.join(row) + wall for row in cells]
    bottom = left + middle.join([floor * 3] * len(cells[0])) + right
    return "\n".join([numbers, *rows, "  " + pen(bottom, "blue")])


def _grid(board: Board, cells: list[list[str]], pen: Ink, fancy: bool) -> str:
    """Tic-Tac-Toe: lines between the cells."""
    side, floor, cross = "│─┼" if fancy else "|-+"
    between = "      " + pen(cross.join([floor * 3] * len(cells[0])), "dim")
    lines = ["      " + " ".join(f" {letter} " for letter in board.drawing.letters[: len(cells[0])])]
    for number, row in enumerate(cells):
        lines += [between] if number else []
        lines.append(f"  {board.name((number, 0))[1:]:>2}  " + pen(side, "dim").join(row))
    return "\n".join(line.rstrip() for line in lines)


def _dots(board: Board, cells: list[list[str]], pen: Ink, skew: bool) -> str:
    """Cells without lines; each skewed row starts half a cell further right, as on a Hex board, whose cells are one
    column wider so that half of one is two whole columns."""
    between = " " if skew else ""
    letters = "     " + between.join(f" {letter} " for letter in board.drawing.letters[: len(cells[0])])
    lines = [letters]
    for number, row in enumerate(cells):
        indent = " " * (2 * number) if skew else ""
        lines.append(f"{indent}  {board.name((number, 0))[1:]:>2} " + between.join(row))
    if not skew:
        lines.append(letters)
    return "\n".join(line.rstrip() for line in lines)
