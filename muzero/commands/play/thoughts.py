"""An agent's analysis in a terminal: the value as a bar, its best moves as a table."""

from __future__ import annotations

from collections.abc import Sequence

from games.base import GameSpec
from muzero.play.thoughts import MoveThought
from muzero.view.terminal import Ink, bar, table

BAR = 24
"""Characters of the value bar."""


def value_bar(
    spec: GameSpec, value: float, names: tuple[str, str], left: bool, pen: Ink, fancy: bool
) -> str:
    """The value as a bar from a loss to a win, each player's share labelled, that of names[0] filled from the left.

    `value` is for names[0] if `left`, else for names[1].
    """
    share = (value - spec.min_return) / (spec.max_return - spec.min_return)
    drawn = bar(share if left else 1 - share, BAR, fancy)
    return f"{names[0]} {pen(drawn, 'cyan')} {names[1]}  {value:+z.2f} for {names[0 if left else 1]}"


def best_moves(moves: Sequence[MoveThought], fancy: bool) -> str:
    """A table of the most visited moves. Q is for the player to move."""
    rows = [
        (move.name, f"{move.visits}", bar(move.share, 10, fancy) if move.visits else "", f"{move.prior:.0%}",
         "" if move.q is None else f"{move.q:+z.2f}")
        for move in moves
    ]
    return table(("move", "visits", "", "prior", "Q"), rows, left=(0, 2))
