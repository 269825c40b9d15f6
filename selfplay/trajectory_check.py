"""Checks of trajectories: the shapes, types and numbers that games give, looked at before anything is stored.

Whoever recorded them may be foreign code, and behind a replay compiled loops follow these numbers without a look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec, MaskArray
from selfplay.planner import SUM_TOLERANCE
from selfplay.trajectory import MOVE_FIELDS, NUMBERS, Trajectory, move_columns

Moves = dict[str, NDArray[Any]]
"""The fields of N moves, one game after the other: name -> [N] or [N, A]."""


class TrajectoryError(ValueError):
    """A trajectory holds what no game gives; the message names the game, the field and the move."""


class TrajectoryCheck:
    """Looks at trajectories of one game."""

    def __init__(self, spec: GameSpec) -> None:
        self.spec = spec
        columns = move_columns(spec, ())
        self.entries = {name: (columns[name].shape, columns[name].dtype) for name in (*MOVE_FIELDS, "obs")}
        """Shape and type of one move's part, by field; first that of the action, whose moves are counted."""
        signs = [1.0] if spec.players == 1 else [-1.0] if spec.alternates else [-1.0, 1.0]
        self.discounts = np.array([0.0, *signs], np.float32)

    def __call__(self, games: Sequence[Trajectory]) -> None:
        """Raises TrajectoryError for the first thing in `games` that no game gives."""
        for index, game in enumerate(games):
            self._check_columns(index, game)
        if not games:
            return
        moves = {name: np.concatenate([getattr(game, name) for game in games]) for name in MOVE_FIELDS}
        ends = np.cumsum([len(game) for game in games])
        last = np.zeros(ends[-1], np.bool_)
        last[ends - 1] = True
        for name, expected, kept in self._promises(moves, last):
            if not kept.all():
                place = int(np.argmin(kept))
                index = int(np.searchsorted(ends, place, side="right"))
                move = place - (int(ends[index - 1]) if index else 0)
                raise TrajectoryError(f"game {index}, move {move}: {name}: expected {expected}, got "
                                      f"{_shown(moves[name][place : place + 1])}")

    def _check_columns(self, index: int, game: Trajectory) -> None:
        """Shapes and types of one game, and finite observations."""
        if not isinstance(game, Trajectory):
            raise TrajectoryError(f"game {index}: expected a Trajectory, got {type(game).__name__}")
        if type(game.number) is not int or not 0 <= game.number < NUMBERS:
            raise TrajectoryError(f"game {index}: number: expected a whole number from 0 to {NUMBERS - 1:,}, got "
                                  f"{game.number!r}")
        length = len(game.action) if isinstance(game.action, np.ndarray) and game.action.ndim else 1
        if length == 0:
            raise TrajectoryError(f"game {index}: expected at least one move, got none")
        for name, (entry, dtype) in self.entries.items():
            held, rows = getattr(game, name), length + (self.spec.frames - 1 if name == "obs" else 0)
            if type(held) is not np.ndarray or held.dtype != dtype or held.shape != (rows, *entry):
                raise TrajectoryError(f"game {index}: {name}: expected {dtype} {[rows, *entry]}, got {_kind(held)}")
        if game.obs.dtype.kind == "f" and not np.isfinite(game.obs).all():
            raise TrajectoryError(f"game {index}: obs: expected finite numbers, which the game {self.spec.name} must "
                                  "give, got NaN or infinity")

    def _promises(self, moves: Moves, last: MaskArray) -> Iterator[tuple[str, str, Any]]:
        """Field, what is expected of it, and where (bool [N]) it is so. last [N]: the last move of each game."""
        for name in ("legal", "exploratory", "searched"):
            # A byte beyond 0 and 1 would be counted as many.
            yield name, "bytes of 0 and 1", moves[name].view(np.uint8).reshape(len(last), -1).max(1) <= 1
        action, legal, discount, policy = (moves[name] for name in ("action", "legal", "discount", "policy"))
        yield "action", f"a number from 0 to {self.spec.num_actions - 1}", (
            (action >= 0) & (action < self.spec.num_actions))
        yield "action", "one of the legal ones", legal[np.arange(len(last)), action]
        for name in ("reward", "root_value"):
            yield name, "a finite number", np.isfinite(moves[name])
        words = ", ".join(f"{sign:g}" for sign in self.discounts)
        yield "discount", f"one of {words}", np.isin(discount, self.discounts)
        yield "discount", "0 after the last move alone", (discount != 0.0) | last
        yield "discount", "0 after the last move, unless it is marked exploratory", (
            (discount == 0.0) | moves["exploratory"] | ~last)
        yield "policy", "no chance below 0", (policy >= 0.0).all(1)
        yield "policy", "none on illegal actions", ~((policy > 0.0) & ~legal).any(1)
        yield "policy", "a sum of 1 where the move was searched, zeros where it wasn't", (
            np.abs(policy.sum(1) - moves["searched"]) <= SUM_TOLERANCE)


def _kind(held: object) -> str:
    """What was given in place of an array: its type and shape."""
    return f"{held.dtype} {list(held.shape)}" if isinstance(held, np.ndarray) else type(held).__name__


def _shown(held: NDArray[Any]) -> str:
    """The number of the one move in held [1], or its numbers [1, A], as far as a line holds them."""
    numbers = held.view(np.uint8) if held.dtype == np.bool_ else held
    return " ".join(f"{number:g}" for number in numbers.ravel()[:12].tolist())
