"""A searched tree by the true rules: names of its moves, which of them are legal, and the real boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameBatch
from games.rows import released
from muzero.inspection.reached import Reached
from muzero.play.board import Board
from muzero.play.moves import name_anywhere
from muzero.play.session import Position, seen
from muzero.search.nodes import Nodes


@dataclass(frozen=True)
class Truth:
    """What the true rules say of a node."""

    name: str
    """of the move that leads to it"""
    possible: bool | None
    """whether the rules allow the moves up to it; None where that isn't known, as behind dice"""
    position: Position | None = None
    """None where it isn't known, and for pictures"""
    over: bool = False
    """whether the game is over there"""


def by_the_rules(nodes: Nodes, kept: Sequence[int], reached: Reached) -> dict[int, Truth]:
    """Of each of these nodes, parents first, what the true rules say."""
    games = reached.games
    if games.spec.pictures:
        # Every action is always legal, and a picture is no board.
        return {number: Truth("" if number == 0 else games.action_name(0, int(nodes.action[number])), None)
                for number in kept}
    with released(engines.make(games.spec.name, 1)) as copy:
        walk = Walk(reached, copy)
        for number in kept[1:]:
            walk.go(number, int(nodes.parent[number]), int(nodes.action[number]))
        return walk.known


class Walk:
    """A walk through a tree in a copy of the game."""

    def __init__(self, reached: Reached, copy: GameBatch) -> None:
        self.games, self.copy = reached.games, copy
        self.known = {0: Truth("", True, seen(self.games, reached.before, len(reached.moves)))}
        self.snapshots: dict[int, dict[str, Any]] = {}
        """Of nodes from which the walk can go on; none if the game goes differently when it is replayed."""
        if not copy.restore(start := self.games.snapshot()):
            self.snapshots[0] = start

    def go(self, number: int, parent: int, action: int) -> None:
        """Add the node behind an action at a known node."""
        if parent not in self.snapshots:
            possible = False if self.known[parent].possible is False else None
            self.known[number] = Truth(name_anywhere((self.games,), action, dice_known=False), possible)
            return
        self.copy.restore(self.snapshots[parent])
        self.known[number] = truth = self._move(action, self.known[parent].position)
        # Behind the first move with chance, no position is the only one.
        if truth.possible and not self.games.spec.stochastic:
            self.snapshots[number] = self.copy.snapshot()

    def _move(self, action: int, before: Position | None) -> Truth:
        copy = self.copy
        name = name_anywhere((copy, self.games), action, dice_known=True)
        if copy.to_play()[0] == NO_PLAYER or not copy.legal()[0, action]:
            return Truth(name, False)
        if copy.spec.stochastic:
            return Truth(name, True)
        copy.step(np.array([action], np.int32))
        board: Board | None = None if before is None else before.board
        position = seen(copy, board, 1 + (0 if before is None else before.moves))
        return Truth(name, True, position, bool(copy.to_play()[0] == NO_PLAYER))
