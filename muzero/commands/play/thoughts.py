"""An agent's thoughts for a terminal: the value as a bar, its best moves as a table, the line ahead."""

from __future__ import annotations

from collections.abc import Sequence

from games.base import GameSpec
from muzero.play.thoughts import Line, MoveThought
from muzero.view.terminal import Ink, bar, table

BAR = 24
"""Characters of the value bar."""


def value_bar(
    spec: GameSpec, value: float, names: tuple[str, str], left: bool, pen: Ink, fancy: bool
) -> str:
    """Whose game it is: each player's share of the way from a loss to a win, names[0]'s filled from the left.

    `value` is seen by names[0] if `left`, else by names[1].
    """
    share = (value - spec.min_return) / (spec.max_return - spec.min_return)
    drawn = bar(share if left else 1 - share, BAR, fancy)
    return f"{names[0]} {pen(drawn, 'cyan')} {names[1]}  {value:+z.2f} for {names[0 if left else 1]}"


def best_moves(moves: Sequence[MoveThought], fancy: bool) -> str:
    """A table of the moves searched most. Q is seen by the player to move."""
    rows = [
        (move.name, f"{move.visits}", bar(move.share, 10, fancy) if move.visits else "", f"{move.prior:.0%}",
         "" if move.q is None else f"{move.q:+z.2f}")
        for move in moves
    ]
    return table(("move", "visits", "", "prior", "Q"), rows, left=(0, 2))


def expected_line(line: Line, fancy: bool) -> str:
    """The line ahead; moves from the first one on that the real rules don't allow are marked."""
    sign = "✗" if fancy else "!"
    words = [name + ("" if possible else sign) for name, possible in line.moves]
    told = " ".join([*words, "..."] if line.goes_on else words)
    wrong = any(not possible for _, possible in line.moves)
    return f"{told}   ({sign} not possible by the rules: the model is learned)" if wrong else told
