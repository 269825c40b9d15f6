"""An agent's analysis of a position for people: its value, the most visited moves, the expected line."""

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
"""Moves listed."""
LINE = 10
"""Moves of the principal variation listed."""


@dataclass(frozen=True)
class MoveThought:
    """A search's results for one move."""

    action: int
    name: str
    visits: int
    share: float
    """visits relative to those of the most visited move; 0 without search"""
    prior: float
    """the network's prior, in [0, 1]"""
    q: float | None
    """for the player to move; None for an unvisited move"""


@dataclass(frozen=True)
class Line:
    """A principal variation up to the end of the game."""

    moves: tuple[tuple[str, bool], ...]
    """names, and whether the true rules allow the moves up to there"""
    goes_on: bool = False
    """True if the next move has a name only once the dice are known"""

    def text(self, fancy: bool) -> str:
        """The moves; from the first one that the true rules don't allow, they are marked. fancy: in Unicode."""
        sign = "✗" if fancy else "!"
        words = [name + ("" if possible else sign) for name, possible in self.moves]
        told = " ".join([*words, "..."] if self.goes_on else words)
        wrong = any(not possible for _, possible in self.moves)
        return f"{told}   ({sign} illegal: the model is learned)" if wrong else told


@dataclass(frozen=True)
class Thought:
    """An agent's analysis of a position, before its own move or as a hint."""

    player: int
    """the player to move"""
    action: int
    """the move that the agent makes, or would make"""
    name: str
    """name of that move"""
    value: float
    """for the player to move"""
    moves: tuple[MoveThought, ...]
    """the chosen one first, then the most visited ones, at most `TOP`"""
    line: Line


def thought(games: GameBatch, analysis: Analysis, action: int) -> Thought:
    """The agent's analysis of row 0, in which it plays `action`."""
    return Thought(
        player=int(games.to_play()[0]), action=action, name=move_name(games, action),
        value=float(analysis.result.value[0]), moves=best_moves(games, analysis),
        line=expected_line(games, analysis.variations[0]))


def best_moves(games: GameBatch, analysis: Analysis) -> tuple[MoveThought, ...]:
    """The best moves: the search's choice first, then by visits, then by Q; without search, by the prior."""
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
    """The principal variation up to the end of the game, and which of its moves the true rules allow.

    The search looks ahead in the learned model, which may be wrong and doesn't know where the game ends. With chance,
    only the first move is checked, and none in a game that goes differently when replayed; the line ends at a move
    that has a name only once the dice are known.
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
    """The moves up to the end of the game, as far as the rules allow them; chance events are sampled in a copy."""
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
