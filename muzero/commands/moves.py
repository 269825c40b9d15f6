"""Moves as people write them: names of actions, and what is wrong with what was typed."""

from __future__ import annotations

import difflib
import re

import numpy as np

from games.base import GameBatch
from muzero.commands.board import LETTERS, Board

LISTED = 30
"""Legal moves named in an error at most."""
BY_CELL = ("tic_tac_toe", "mnk", "gomoku")
"""Games whose action numbers the cells row by row, and whose own text says so less shortly."""
COLOUR_FIRST = ("go",)
"""Games whose own text starts with the colour that moves."""


def move_name(games: GameBatch, action: int) -> str:
    """An action of the game in row 0 as people write it; `#action` where the position doesn't allow it."""
    short = games.spec.name.partition("(")[0]
    width = games.spec.observation_shape[-1]
    if short == "connect_four":
        return str(action + 1)
    if short in BY_CELL and width <= len(LETTERS):
        return f"{LETTERS[action % width]}{action // width + 1}"
    text = games.action_name(0, action)
    if short in COLOUR_FIRST and not text.startswith("#"):
        return text.rpartition(" ")[2].lower()
    return text


def legal_names(games: GameBatch) -> dict[str, int]:
    """Every legal move of row 0 by its name."""
    return {move_name(games, action): action for action in np.flatnonzero(games.legal()[0]).tolist()}


def parse_move(games: GameBatch, text: str) -> int | None:
    """The legal action a person means by a coordinate, a column, its own text or `#number`; else None."""
    typed = _squeezed(text)
    actions: list[int] = np.flatnonzero(games.legal()[0]).tolist()
    short = {_squeezed(move_name(games, action)): action for action in reversed(actions)}
    own = {_squeezed(games.action_name(0, action)): action for action in reversed(actions)}
    numbers = {f"#{action}": action for action in actions}
    for named in (short, own, numbers):
        if typed in named:
            return named[typed]
    return None


def _squeezed(text: str) -> str:
    return "".join(text.lower().split())


def refusal(games: GameBatch, board: Board | None, text: str) -> str:
    """Why `text` is no legal move, and which moves are."""
    names = list(legal_names(games))
    return f"{_reason(games, board, text, names)}; legal: {listing(names)}"


def listing(names: list[str], most: int = LISTED) -> str:
    """Names one after the other, cut where they are too many."""
    separator = " | " if any(" " in name for name in names) else " "
    rest = f"{separator}... (`moves` lists all {len(names)})" if len(names) > most else ""
    return separator.join(names[:most]) + rest


def _reason(games: GameBatch, board: Board | None, text: str, names: list[str]) -> str:
    shown = text if len(text) <= 30 else f"{text[:30]}..."
    if games.spec.name.partition("(")[0] == "connect_four" and re.fullmatch(r"\d{1,3}", text):
        there = 1 <= int(text) <= games.spec.num_actions
        return f"column {int(text)} is full" if there else f"there is no column {int(text)}"
    cell = board.cell(text) if board is not None else None
    if cell is not None and board is not None:
        return f"{shown} is taken" if board.owner(cell) is not None else f"{shown} is not possible now"
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(text.lower(), lower, n=1) if len(text) <= 30 else []
    return f"no move {shown!r} here" + (f", nearest: {lower[near[0]]}" if near else "")
