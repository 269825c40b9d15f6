"""Error messages for typed moves: what is wrong, and which moves are legal."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from games.base import GameBatch
from muzero.play.board import Board
from muzero.play.moves import legal_names
from muzero.view.terminal import printable

LISTED = 30
"""Most legal moves named in an error."""


def refusal(games: GameBatch, board: Board | None, text: str, words: Collection[str] = ()) -> str:
    """Why `text` isn't a legal move, which word or move is nearest, and which moves are legal."""
    names = list(legal_names(games))
    return f"{_reason(games, board, text, names, words)}; legal: {listing(names)}"


def listing(names: list[str], most: int = LISTED) -> str:
    """Names in a list, shortened if there are too many."""
    separator = " | " if any(" " in name for name in names) else " "
    rest = f"{separator}... (`moves` lists all {len(names)})" if len(names) > most else ""
    return separator.join(names[:most]) + rest


def _reason(games: GameBatch, board: Board | None, text: str, names: list[str], words: Collection[str]) -> str:
    shown = text if len(text) <= 30 else f"{text[:30]}..."
    if games.spec.name.partition("(")[0] == "connect_four" and re.fullmatch(r"\d{1,3}", text):
        there = 1 <= int(text) <= games.spec.num_actions
        return f"column {int(text)} is full" if there else f"there is no column {int(text)}"
    cell = board.cell(text) if board is not None else None
    if cell is not None and board is not None:
        why = "is taken" if board.owner(cell) is not None else "is not possible now"
        return f"{printable(shown)} {why}"
    lower = {name.lower(): name for name in (*words, *names)}
    near = difflib.get_close_matches(text.lower(), lower, n=1) if len(text) <= 30 else []
    return f"no move {shown!r} here" + (f", nearest: {lower[near[0]]}" if near else "")
