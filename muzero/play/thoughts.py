"""What an agent thinks of a position: its value, the moves searched most, the line that it expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameBatch
from games.rows import released
from muzero.play.moves import move_name, name_anywhere

if TYPE_CHECKING:
    from muzero.agent import Analysis

TOP = 5
"""Moves told."""
LINE = 10
"""Moves of the principal variation told."""


@dataclass(frozen=True)
class MoveThought:
    """What a search found of one move."""

    action: int
    name: str
    visits: int
    share: float
    """visits, in parts of those of the move visited most; 0 without a search"""
    prior: float
    """of the network, in [0, 1]"""
    q: float | None
    """seen by the player to move; None for a move that was not visited"""


@dataclass(frozen=True)
class Line:
    """A principal variation up to the end of the game."""

    moves: tuple[tuple[str, bool], ...]
    """names, and whether the real rules allow the moves until then"""
    goes_on: bool = False
    """True where the next move has a name only once the dice are known"""


@dataclass(frozen=True)
class Thought:
    """An agent's view of a position, before a move of its own or for a person."""

    player: int
    """the player to move"""
    action: int
    """the move that the agent makes, or would make"""
    name: str
    """of that move"""
    value: float
    """seen by the player to move"""
    moves: tuple[MoveThought, ...]
    """the chosen one first, then those searched most, `TOP` at most"""
    line: Line


def thought(games: GameBatch, analysis: Analysis, action: int) -> Thought:
    """What the agent thinks of row 0, where it plays `action`."""
    return Thought(
        player=int(games.to_play()[0]), action=action, name=move_name(games, action),
        value=float(analysis.result.value[0]), moves=best_moves(games, analysis),
        line=expected_line(games, analysis.variations[0]))


def best_moves(games: GameBatch, analysis: Analysis) -> tuple[MoveThought, ...]:
    """The moves searched most: the search's own choice first, then by visits, then by Q; without a search by the
    prior."""
    result = analysis.result
    visits, q, prior = result.visits[0], result.q[0], analysis.prior[0]
    legal = np.flatnonzero(games.legal()[0])
    order = sorted(legal.tolist(), key=lambda a: (a != result.action[0], -visits[a], -q[a], -prior[a]))
    most = max(1, int(visits.max()))
    return tuple(
        MoveThought(a, move_name(games, a), int(visits[a]), int(visits[a]) / most, float(prior[a]),
                    float(q[a]) if visits[a] else None)
        for a in order[:TOP]
    )


def expected_line(games: GameBatch, variation: list[int]) -> Line:
    """The principal variation up to the end of the game, and which of its moves the real rules allow.

    The search looks ahead in the learned model, which may err, and knows no end. With chance only the first move is
    checked, and none in a game that goes another way when it is played again; the line ends where a move has a name
    only once the dice are known.
    """
    start, copy = (engines.make(games.spec.name, 1) for _ in range(2))
    checked = not copy.restore(games.snapshot())
    moves: list[tuple[str, bool]] = []
    wrong = False
    for number, action in enumerate(_until_over(games, variation[:LINE])):
        unknown = not checked or (games.spec.stochastic and number > 0)
        if not unknown and not wrong:
            wrong = bool(copy.to_play()[0] == NO_PLAYER or not copy.legal()[0, action])
        name = name_anywhere((copy, games, start), action, dice_known=not unknown)
        if unknown and name.startswith("#"):
            return Line(tuple(moves), goes_on=True)
        moves.append((name, not wrong))
        if not wrong and not unknown:
            copy.step(np.array([action], np.int32))
    return Line(tuple(moves))


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
