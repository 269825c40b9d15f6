"""Boards parsed from printed positions: cells, their names, and the pieces on them.

Games without an entry here are shown as OpenSpiel (or the user's class) prints them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Cell = tuple[int, int]
"""(row, column), both counted from the top left."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
GO_LETTERS = LETTERS.replace("i", "")


@dataclass(frozen=True)
class Drawing:
    """How to read and draw one game's printed position."""

    line: str
    """Pattern of a printed line with a row of the board; its group holds the cells."""
    stones: tuple[str, str]
    """Characters of player 0's and of player 1's pieces."""
    style: Literal["dots", "grid", "columns", "skewed"] = "dots"
    """Cells without lines, crosses and circles in a grid, stones that fall into columns, or rows of hexagons."""
    from_below: bool = False
    """Rows are numbered from the bottom up."""
    letters: str = LETTERS
    own_letters: bool = False
    """Pieces are shown as printed (chess), coloured by player."""
    legend: tuple[str, str] = ("", "")
    """Each player's goal, if the stones don't show it."""
    show_legal: bool = False
    """Whether to mark the cells with a legal move."""


RANKS = r"^ ?\d+ *([^\s\d]+)\s*$"
CELLS = r"^([.xo]+)$"

DRAWINGS: Mapping[str, Drawing] = {
    "tic_tac_toe": Drawing(CELLS, ("x", "o"), "grid"),
    "mnk": Drawing(CELLS, ("x", "o"), "grid"),
    "connect_four": Drawing(CELLS, ("x", "o"), "columns"),
    "gomoku": Drawing(r"^([.bw]+)$", ("b", "w")),
    "othello": Drawing(r"^\d ([-xo ]+) \d$", ("x", "o"), show_legal=True),
    "go": Drawing(RANKS, ("X", "O"), from_below=True, letters=GO_LETTERS),
    "hex": Drawing(
        r"^ *((?:[.xyzXopqO] )+)$", ("xyzX", "opqO"), "skewed", legend=("top to bottom", "left to right")
    ),
    "breakthrough": Drawing(RANKS, ("b", "w"), from_below=True, legend=("downwards", "upwards")),
    "clobber": Drawing(RANKS, ("o", "x"), from_below=True),
    "checkers": Drawing(r"^\d([.o+8*]+)$", ("o8", "+*"), from_below=True),
    "chess": Drawing(r"^([.A-Za-z]{8})$", ("pnbrqk", "PNBRQK"), from_below=True, own_letters=True),
}
OWN_SIGNS: Mapping[str, tuple[str, str]] = {
    "amazons": ("X", "O"),
    "antichess": ("black (small letters)", "white (capitals)"),
    "backgammon": ("x", "o"),
    "chinese_checkers": ("1", "2"),
    "crazyhouse": ("black (small letters)", "white (capitals)"),
    "einstein_wurfelt_nicht": ("b", "w"),
    "havannah": ("O", "@"),
    "hive": ("w", "b"),
    "lines_of_action": ("x", "o"),
    "maedn": ("1", "2"),
    "mancala": ("lower row", "upper row"),
    "nine_mens_morris": ("W", "B"),
    "oware": ("A to F", "a to f"),
    "pentago": ("O", "@"),
    "shogi": ("capitals", "small letters"),
    "twixt": ("x", "o"),
    "ultimate_tic_tac_toe": ("x", "o"),
    "xiangqi": ("capitals", "small letters"),
    "y": ("O", "@"),
}
"""How OpenSpiel's text shows player 0's and player 1's pieces, for games without an entry."""


@dataclass(frozen=True)
class Board:
    """The cells of a printed position."""

    drawing: Drawing
    rows: tuple[str, ...]
    """One character per cell, from the top down."""

    def name(self, cell: Cell) -> str:
        """`b3`"""
        row, column = cell
        number = len(self.rows) - row if self.drawing.from_below else row + 1
        return f"{self.drawing.letters[column]}{number}"

    def cell(self, name: str) -> Cell | None:
        """The cell called `name`, None if there is none."""
        found = re.fullmatch(r"([a-z])(\d{1,2})", name.lower())
        if not found or found[1] not in self.drawing.letters:
            return None
        number = int(found[2])
        row = len(self.rows) - number if self.drawing.from_below else number - 1
        column = self.drawing.letters.index(found[1])
        return (row, column) if 0 <= row < len(self.rows) and column < len(self.rows[0]) else None

    def owner(self, cell: Cell) -> int | None:
        """The player whose piece is in a cell."""
        character = self.rows[cell[0]][cell[1]]
        owners = [player for player in (0, 1) if character in self.drawing.stones[player]]
        return owners[0] if owners else None

    def added(self, before: Board | None) -> set[Cell]:
        """Cells that were empty `before` and hold a piece now."""
        if before is None or (len(before.rows), len(before.rows[0])) != (len(self.rows), len(self.rows[0])):
            return set()
        cells = [(row, column) for row in range(len(self.rows)) for column in range(len(self.rows[0]))]
        return {cell for cell in cells if before.owner(cell) is None and self.owner(cell) is not None}


def read_board(game: str, text: str) -> Board | None:
    """The board in a printed position of `game`, None if there is no entry for it."""
    short = game.partition("(")[0]
    drawing = DRAWINGS.get(short)
    if drawing is None:
        return None
    lines = _ranks(text) if short == "chess" else text.splitlines()
    matches = (re.match(drawing.line, line) for line in lines)
    rows = tuple(found[1].replace(" ", "") for found in matches if found)
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) > len(drawing.letters):
        return None
    return Board(drawing, rows)


def _ranks(text: str) -> list[str]:
    """Lines of eight characters from the first field of a FEN."""
    ranks = text.partition(" ")[0].split("/")
    return [re.sub(r"\d", lambda digits: "." * int(digits[0]), rank) for rank in ranks]
