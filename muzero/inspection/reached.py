"""A game after some moves: the position that is inspected."""

from __future__ import annotations

from dataclasses import dataclass

from games.base import GameBatch
from muzero.play.board import Board


@dataclass(frozen=True)
class Reached:
    """A game after some moves."""

    games: GameBatch
    """one row"""
    moves: tuple[str, ...]
    """names of the moves made"""
    before: Board | None = None
    """the board before the last one, if it can be read"""
