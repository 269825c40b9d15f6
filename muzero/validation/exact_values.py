"""Exact values of a validation sample, in games that a solver knows by heart or solves within seconds."""

from __future__ import annotations

import numpy as np

from games.base import GameBatch, GameError
from games.exact import Exact, exact, spiel_state
from games.solver import Solver
from muzero.validation.continuations import Truth

MOST_POSITIONS = 100_000
"""Of a game that is solved for its values."""


def exact_values(game: str) -> Truth | None:
    """The values of a game under perfect play, NaN where they would take long to find; None for a game that is too
    large, or has no solver."""
    try:
        solver = exact(game)
        if isinstance(solver, Solver):
            solver.max_states = MOST_POSITIONS
        solver.value(solver.new_state())
    except GameError:
        return None
    return _of(solver)


def _of(solver: Exact) -> Truth:
    def value(batch: GameBatch, row: int) -> float:
        state = spiel_state(batch, row)
        return float(solver.value(state)) if solver.quick(state) else np.nan
    return value
