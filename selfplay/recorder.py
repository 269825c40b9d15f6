"""Recorder of N games in lockstep: collects their moves into trajectories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameSpec, IntArray, MaskArray
from selfplay.trajectory import UNNUMBERED, StoredPlan, Trajectory, impossible, move_columns, upgraded

START_LENGTH = 32


class Recorder:
    """The unfinished games of N rows, in arrays [N, L, ...] whose length L doubles when a game outgrows it."""

    def __init__(self, spec: GameSpec, size: int) -> None:
        self.spec, self.size = spec, size
        self.moves = np.zeros(size, dtype=np.int64)
        self.lead = np.zeros((size, spec.frames - 1, *spec.frame_shape), dtype=spec.observation_dtype)
        """[N, F - 1, *frame] the frames before the first recorded move of each row"""
        self.columns = move_columns(spec, (size, min(START_LENGTH, spec.max_length)))

    def add(
        self, obs: NDArray[Any], legal: MaskArray, found: StoredPlan, action: IntArray, exploratory: MaskArray,
        reward: FloatArray, discount: FloatArray,
    ) -> None:
        """Append one move of every row; arrays [N, ...] as in `Trajectory` without T."""
        length = self.columns["action"].shape[1]
        if int(self.moves.max()) >= length:
            self._grow(2 * length)
        rows = np.arange(self.size)
        frames = obs.reshape(self.size, self.spec.frames, *self.spec.frame_shape)
        self.lead[self.moves == 0] = frames[self.moves == 0, :-1]
        given = {"obs": frames[:, -1], "legal": legal, "action": action, "exploratory": exploratory, "reward": reward,
                 "discount": discount, **vars(found)}
        for name, column in self.columns.items():
            column[rows, self.moves] = given[name]
        self.moves += 1

    def _grow(self, length: int) -> None:
        larger = move_columns(self.spec, (self.size, length))
        for name, column in self.columns.items():
            larger[name][:, : column.shape[1]] = column
        self.columns = larger

    def finish(self, row: int, truncated: bool, number: int = UNNUMBERED) -> Trajectory:
        """Take the game of `row` out as a trajectory with the `number` of the game; the row is then empty.

        The last move of a truncated game is marked exploratory, so that targets bootstrap from its search value.
        """
        length = int(self.moves[row])
        self.moves[row] = 0
        parts = {name: column[row, :length].copy() for name, column in self.columns.items()}
        if self.lead.shape[1]:
            parts["obs"] = np.concatenate((self.lead[row], parts["obs"]))
        if truncated:
            parts["exploratory"][-1] = True
        return Trajectory(**parts, number=number)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The unfinished games, for a checkpoint; cells beyond a row's last move are zero."""
        longest = int(self.moves.max())
        played = np.arange(longest) < self.moves[:, None]
        cells = {name: column[:, :longest].copy() for name, column in self.columns.items()}
        for column in cells.values():
            column[~played] = 0
        lead = {"lead": self.lead.copy()} if self.lead.shape[1] else {}
        return {"moves": self.moves.copy(), **lead, **cells}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Restore the result of `arrays`, from this or an older version. Raises ValueError naming an array that
        doesn't fit."""
        arrays, moves = upgraded(arrays), arrays["moves"]
        if moves.shape != (self.size,):
            raise ValueError(f"stored games don't fit this run: expected {self.size} rows, got {list(moves.shape)}")
        if moves.dtype != np.int64 or (moves < 0).any():
            raise ValueError("stored games don't fit this run: moves: expected a number of moves for each game")
        lead = arrays["lead"] if self.lead.shape[1] else self.lead
        if lead.shape != self.lead.shape or lead.dtype != self.lead.dtype:
            raise ValueError(f"stored games don't fit this run: lead {lead.shape}")
        longest = int(moves.max())
        for name, column in self.columns.items():
            if arrays[name].shape != (self.size, longest, *column.shape[2:]) or arrays[name].dtype != column.dtype:
                raise ValueError(f"stored games don't fit this run: {name} {arrays[name].shape}")
        if wrong := impossible({name: arrays[name] for name in self.columns}, self.spec.num_actions):
            raise ValueError(f"stored games don't fit this run: {wrong} holds impossible values")
        if longest > self.columns["action"].shape[1]:
            self._grow(longest)
        for name, column in self.columns.items():
            column[:, :longest] = arrays[name]
        self.lead[:] = lead
        self.moves[:] = moves
