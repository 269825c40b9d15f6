"""Perfect play in games small enough to be solved, and how often an agent's moves lose value there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from games import make, spec
from games.base import GameBatch, GameError, IntArray, MaskArray
from games.open_spiel import OpenSpielBatch
from games.single import is_own
from games.solver import Solver
from selfplay.positions import Chooser, place

CHUNK = 512
"""Positions on the board at a time."""
TOLERANCE = 1e-9
"""Two exact values closer than this are equal: sums of discounted rewards differ in the last bits."""


def spiel_state(games: GameBatch, row: int) -> Any:
    """A copy of the row's OpenSpiel state. Raises GameError for a game that isn't OpenSpiel's."""
    refuse_own(games.spec.name)
    assert isinstance(games, OpenSpielBatch)
    return games.state(row)


def refuse_own(game: str) -> None:
    """Raise GameError for a game of one's own: searching by the rules and solving need an OpenSpiel game."""
    if is_own(game):
        raise GameError(f"{game}: not an OpenSpiel game, so its rules can't be searched or solved")


class PerfectPlayer:
    """Plays a random one of the moves that keep the value. Refuses games too large to solve."""

    def __init__(self, game: str, seed: int, solver: Solver | None = None) -> None:
        """solver: one of the same game that may know some values already."""
        self.name = "perfect"
        refuse_own(game)
        self.solver = Solver(game) if solver is None else solver
        self._rng = np.random.default_rng(seed)

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        actions = np.zeros(games.size, np.int32)
        for row in np.flatnonzero(rows).tolist():
            values = self.solver.move_values(spiel_state(games, row))
            best = max(values.values())
            keeping = [action for action, value in values.items() if value >= best - TOLERANCE]
            actions[row] = keeping[self._rng.integers(len(keeping))]
        return actions


@dataclass(frozen=True)
class Lapse:
    """A position in which the chosen move loses value."""

    history: tuple[int, ...]
    action: int
    value: float
    """Exact value of the position for the player to move."""
    got: float
    """Exact value of the chosen move."""


@dataclass(frozen=True)
class KeepReport:
    """What every reachable decision position says of one player."""

    game: str
    player: str
    positions: int
    lapses: tuple[Lapse, ...]


def keeps_value(player: Chooser, solver: Solver, game: str, name: str = "") -> KeepReport:
    """Ask `player` for its move in every reachable decision position and count those that lose value.

    Raises GameError for a game with chance (its positions can't be set up by moves alone) or one too large.
    """
    facts = spec(game)
    if facts.stochastic:
        raise GameError(f"{game}: every-position checks are for games without chance")
    histories = sorted((tuple(h) for h in solver.reachable_decisions()), key=len)
    lapses: list[Lapse] = []
    for start in range(0, len(histories), CHUNK):
        lapses += _lapses(player, solver, game, histories[start : start + CHUNK])
    return KeepReport(facts.name, name or getattr(player, "name", ""), len(histories), tuple(lapses))


def _lapses(player: Chooser, solver: Solver, game: str, histories: Sequence[tuple[int, ...]]) -> list[Lapse]:
    games = make(game, len(histories))
    place(games, histories)
    chosen = player.act(games, np.ones(len(histories), np.bool_)).tolist()
    lapses = []
    for row, (history, action) in enumerate(zip(histories, chosen, strict=True)):
        values = solver.move_values(spiel_state(games, row))
        best = max(values.values())
        if values[action] < best - TOLERANCE:
            lapses.append(Lapse(history, action, best, values[action]))
    return lapses
