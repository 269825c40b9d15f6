"""Exact solvers of OpenSpiel games, chosen by the game's size."""

from __future__ import annotations

from typing import Any, Protocol

from games.base import GameBatch, GameError, GameSpec
from games.families import family
from games.open_spiel import OpenSpielBatch
from games.solver import Solver
from games.spiel_facts import load_facts


class Exact(Protocol):
    """Values of positions (`pyspiel.State`) of one game for the player to move, as in `games.solver.Solver`."""

    spec: GameSpec

    @property
    def timed(self) -> bool: ...

    def new_state(self) -> Any: ...

    def quick(self, state: Any) -> bool: ...

    def value(self, state: Any) -> float: ...

    def move_values(self, state: Any) -> dict[int, float]: ...

    def move_scores(self, state: Any) -> dict[int, float]: ...


def exact(game: str) -> Exact:
    """The exact solver of `game`. Raises GameError for games that can't be solved."""
    if family(game) == "open_spiel":
        from games.connect_four import ConnectFourSolver, can_solve  # compiled loops: load only when used

        if can_solve(load_facts(game).game):
            return ConnectFourSolver(game)
    return Solver(game)


def spiel_state(games: GameBatch, row: int) -> Any:
    """A copy of the row's OpenSpiel state. Raises GameError for a game that isn't OpenSpiel's."""
    refuse_foreign(games.spec.name)
    assert isinstance(games, OpenSpielBatch)
    return games.state(row)


def refuse_foreign(game: str) -> None:
    """Raise GameError for a game that isn't OpenSpiel's: solving and searching the true rules need one that is."""
    if family(game) != "open_spiel":
        raise GameError(f"{game}: not an OpenSpiel game, so its rules can't be searched or solved")
