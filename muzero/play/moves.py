"""Move notation: names of actions as players write them, and the parsing of typed moves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from games.base import GameBatch
from muzero.play.board import GO_LETTERS, LETTERS

BY_CELL: Mapping[str, str] = {
    "tic_tac_toe": LETTERS, "mnk": LETTERS, "gomoku": LETTERS, "hex": LETTERS, "othello": LETTERS,
    "y": LETTERS, "havannah": LETTERS, "go": GO_LETTERS,
}
"""Games whose actions number the cells row by row, with the letters of their columns."""
PASSING = ("othello", "go")
"""Games in which the action after the last cell is a pass."""
SQUARES = re.compile(r"[a-h][1-8][a-h][1-8][qrbn]?")
"""A chess move written as its from and to squares."""


def move_name(games: GameBatch, action: int) -> str:
    """An action of the game in row 0 as players write it.

    `#action` for an illegal action whose name depends on the position.
    """
    short = games.spec.name.partition("(")[0]
    if short == "connect_four":
        return str(action + 1)
    cell = _cell_name(games, short, action)
    if cell is not None:
        return cell
    # Backgammon numbers its moves; numbers that differ only in the order of the dice have the same text and effect.
    return games.action_name(0, action).removeprefix(_numbered(action))


def name_anywhere(positions: Sequence[GameBatch], action: int, dice_known: bool) -> str:
    """The name of an action in the first of these positions that has one; `#action` if none has.

    Unless `dice_known`, names that depend on the dice of those positions don't count: OpenSpiel numbers these moves.
    """
    for games in positions:
        name = move_name(games, action)
        of_dice = games.action_name(0, action).startswith(_numbered(action))
        if not name.startswith("#") and (dice_known or not of_dice):
            return name
    return f"#{action}"


def _cell_name(games: GameBatch, short: str, action: int) -> str | None:
    """`b3` or `pass` if actions are cells, None otherwise."""
    letters, layout, shape = BY_CELL.get(short), games.spec.layout, games.spec.observation_shape
    if letters is None or layout.kind != "cells" or layout.planes != 1:
        return None
    height, width = shape[-2:]
    if action >= height * width:
        return "pass" if short in PASSING else None
    return f"{letters[action % width]}{action // width + 1}" if width <= len(letters) else None


def _numbered(action: int) -> str:
    return f"{action} - "


def legal_names(games: GameBatch) -> dict[str, int]:
    """Every legal move of row 0 by its name."""
    return {move_name(games, action): action for action in np.flatnonzero(games.legal()[0]).tolist()}


def parse_move(games: GameBatch, text: str) -> int | None:
    """The legal action meant by a coordinate, a column, the game's text or `#number`; None if there is none.

    Also accepts a bare number, if the moves differ in their last number or OpenSpiel's text starts with it, and a chess
    move by its two squares.
    """
    typed = _squeezed(text)
    actions: list[int] = np.flatnonzero(games.legal()[0]).tolist()
    short = {move_name(games, action): action for action in reversed(actions)}
    own = {games.action_name(0, action): action for action in reversed(actions)}
    numbers = {f"#{action}": action for action in actions}
    numbers |= {str(action): action for name, action in own.items() if name.startswith(_numbered(action))}
    squares = _by_squares(games, actions) if SQUARES.fullmatch(typed) else {}
    for named in (short, own, numbers, _by_last_number(short), squares):
        # In chess Bxc3 and bxc3 differ: case counts if both are legal.
        if text.strip() in named:
            return named[text.strip()]
        squeezed = {_squeezed(name): action for name, action in named.items()}
        if typed in squeezed:
            return squeezed[typed]
    return None


def _by_last_number(named: Mapping[str, int]) -> dict[str, int]:
    """`2` for `take 2`, if all names are the same words followed by a number."""
    parts = [(re.fullmatch(r"(.*\s)(\d+)", name), action) for name, action in named.items()]
    found = [(part[1], part[2], action) for part, action in parts if part]
    if len(found) < len(parts) or len({words for words, _, _ in found}) != 1:
        return {}
    return {number: action for _, number, action in found}


def _by_squares(games: GameBatch, actions: Sequence[int]) -> dict[str, int]:
    """Chess moves by their from and to squares, such as `e2e4` or `a7a8q`."""
    from games.open_spiel import OpenSpielBatch

    if games.spec.name.partition("(")[0] != "chess" or not isinstance(games, OpenSpielBatch):
        return {}
    import pyspiel

    board = games.state(0).board()
    return {pyspiel.chess.action_to_move(action, board).to_lan(): action for action in actions}


def _squeezed(text: str) -> str:
    return "".join(text.lower().split())
