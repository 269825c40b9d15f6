"""Exact values of a game's positions, by whatever way suits its size."""

from __future__ import annotations

from typing import Any, Protocol

from games.base import GameSpec
from games.families import family
from games.solver import Solver
from games.spiel_facts import load_facts


class Exact(Protocol):
    """Values of positions (`pyspiel.State`) of one game, seen by the player to move, as `games.solver.Solver`."""

    spec: GameSpec

    @property
    def timed(self) -> bool: ...

    def new_state(self) -> Any: ...

    def value(self, state: Any) -> float: ...

    def move_values(self, state: Any) -> dict[int, float]: ...

    def move_scores(self, state: Any) -> dict[int, float]: ...


def exact(game: str) -> Exact:
    """What knows the exact values of `game`. Raises GameError for games that can't be solved."""
    if family(game) == "open_spiel":
        from games.connect_four import ConnectFourSolver, can_solve  # compiled loops: only where they are used

        if can_solve(load_facts(game).game):
            return ConnectFourSolver(game)
    return Solver(game)
