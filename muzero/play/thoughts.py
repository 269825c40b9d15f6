"""What an agent thought of a position, for people: the value as a bar, its best moves, the line ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameBatch, GameSpec
from games.rows import released
from muzero.play.moves import move_name, name_anywhere
from muzero.view.terminal import Ink, bar, table

if TYPE_CHECKING:
    from muzero.agent import Analysis

TOP = 5
"""Moves shown."""
LINE = 10
"""Moves of the principal variation shown."""
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


def best_moves(games: GameBatch, analysis: Analysis, fancy: bool) -> str:
    """A table of the moves searched most. Q is seen by the player to move."""
    result = analysis.result
    visits, q, prior = result.visits[0], result.q[0], analysis.prior[0]
    legal = np.flatnonzero(games.legal()[0])
    # The chosen move first, then by visits, then by Q; without a search by the prior.
    order = sorted(legal.tolist(), key=lambda a: (a != result.action[0], -visits[a], -q[a], -prior[a]))
    most = max(1, int(visits.max()))
    rows = [
        (move_name(games, a), f"{visits[a]}", bar(visits[a] / most, 10, fancy) if visits[a] else "",
         f"{prior[a]:.0%}", f"{q[a]:+z.2f}" if visits[a] else "")
        for a in order[:TOP]
    ]
    return table(("move", "visits", "", "prior", "Q"), rows, left=(0, 2))


def expected_line(games: GameBatch, variation: list[int], fancy: bool) -> str:
    """The principal variation up to the end of the game; moves the real rules don't allow there are marked.

    The search looks ahead in the learned model, which may err, and knows no end. With chance only the first move is
    checked, and none in a game that goes another way when it is played again; the line ends where a move has a name
    only once the dice are known.
    """
    start, copy = (engines.make(games.spec.name, 1) for _ in range(2))
    checked = not copy.restore(games.snapshot())
    sign = "✗" if fancy else "!"
    words: list[str] = []
    wrong = False
    for number, action in enumerate(_until_over(games, variation[:LINE])):
        unknown = not checked or (games.spec.stochastic and number > 0)
        if not unknown and not wrong:
            wrong = copy.to_play()[0] == NO_PLAYER or not copy.legal()[0, action]
        name = name_anywhere((copy, games, start), action, dice_known=not unknown)
        if unknown and name.startswith("#"):
            words.append("...")
            break
        words.append(name + (sign if wrong else ""))
        if not wrong and not unknown:
            copy.step(np.array([action], np.int32))
    line = " ".join(words)
    return f"{line}   ({sign} not possible by the rules: the model is learned)" if wrong else line


def _until_over(games: GameBatch, variation: list[int]) -> list[int]:
    """The moves before the game is over, where the rules allow all of them; with chance, as it falls in a copy."""
    with released(engines.make(games.spec.name, 1)) as copy:
        if copy.restore(games.snapshot()):
            return variation
        for number, action in enumerate(variation):
            if copy.to_play()[0] == NO_PLAYER:
                return variation[:number]
            if not copy.legal()[0, action]:
                break
            copy.step(np.array([action], np.int32))
    return variation
