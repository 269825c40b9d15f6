"""The game interface: static facts (`GameSpec`) and N games in lockstep as arrays (`GameBatch`).

One convention covers one player, two players, extra turns and passes: the *signed discount*. After a step
it is +1 if the same player moves next, -1 if the other one does, 0 if the game is over. A reward is from the view of
the player who moved.

Shape letters: N games in lockstep, A actions, *O one observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
MaskArray = NDArray[np.bool_]

PIXEL_HIGH = 255
"""`observation_high` of pictures."""
NO_LIMIT = 1_000_000
"""A `max_length` of this or more means no limit: the environment states none."""
NO_PLAYER = -1
"""`to_play` of a row whose game is over."""


class GameError(ValueError):
    """A game that can't be made or a move that can't be played; the message says what, why and how to fix it."""


@dataclass(frozen=True)
class ActionLayout:
    """Where actions lie on an observation of shape [C, H, W], so that convolutional heads can share weights.

    flat     no geometry: a dense head and a learned embedding
    cells    action = (row * W + column) * planes + plane; then `extra` actions beside the board (a pass)
    columns  action = column (Connect Four)
    """

    kind: Literal["flat", "cells", "columns"] = "flat"
    planes: int = 1
    extra: int = 0


@dataclass(frozen=True)
class GameSpec:
    """The static facts of one game: all that a model or an actor needs to know before the first move."""

    name: str
    """Canonical name, parameters included: `hex(board_size=5)`. `games.make` takes it."""
    players: int
    """1 or 2 (two-player games are zero-sum)."""
    observation_shape: tuple[int, ...]
    """[F] or [C, H, W]"""
    observation_dtype: Literal["uint8", "float32"]
    """uint8 when every entry is a whole number (0/1 planes, pixels)."""
    num_actions: int
    max_length: int
    """Upper bound on the decisions of one game."""
    min_return: float
    max_return: float
    alternates: bool
    """True if no player ever moves twice in a row (always False for one player)."""
    stochastic: bool
    """True if the environment samples random events."""
    rewards_on_the_way: bool
    """False if only the last step can give a reward."""
    layout: ActionLayout = ActionLayout()
    note: str = ""
    frames: int = 1
    """Frames stacked along the observation's first axis, oldest first: each move drops the oldest and adds one.
    Frames from before a game's start are zero."""
    observation_high: int = 1
    """Largest usual entry; networks see observations divided by it."""

    def __post_init__(self) -> None:
        if self.players not in (1, 2):
            raise GameError(f"{self.name}: expected 1 or 2 players, got {self.players}")
        if self.observation_shape[0] % self.frames:
            raise GameError(f"{self.name}: expected a number of channels that {self.frames} frames divide, got "
                            f"{self.observation_shape[0]}")

    @property
    def pictures(self) -> bool:
        """True if an observation is made of pixels."""
        return len(self.observation_shape) == 3 and self.observation_high == PIXEL_HIGH

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame; that of the observation if frames aren't stacked."""
        return (self.observation_shape[0] // self.frames, *self.observation_shape[1:])

    @property
    def observation_bytes(self) -> int:
        """Bytes of one observation."""
        return math.prod(self.observation_shape) * np.dtype(self.observation_dtype).itemsize


@dataclass(frozen=True)
class Step:
    """The result of one lockstep move."""

    reward: FloatArray
    """[N] from the view of the player who moved."""
    discount: FloatArray
    """[N] +1 same player next, -1 other player next, 0 the game is over."""
    truncated: MaskArray
    """[N] True where a time limit truncated the game: its discount isn't 0, as the value after it is bootstrapped."""
    life_lost: MaskArray | None = None
    """[N] True where a life was lost and the game goes on; None in games without lives."""


class GameBatch(Protocol):
    """N games in lockstep. A finished row stays finished until `reset`; stepping it is an error."""

    spec: GameSpec
    size: int

    def reset(self, rows: MaskArray | None = None) -> None:
        """Start new games in `rows` (bool [N]; all when None)."""

    def observe(self) -> NDArray[Any]:
        """Observations [N, *O] of `spec.observation_dtype`, from the view of the player to move.

        Zeros in finished rows. The array is the caller's own: it does not change with the next step.
        """

    def legal(self) -> MaskArray:
        """Legal moves [N, A]; all False in finished rows."""

    def to_play(self) -> IntArray:
        """Player to move [N], `NO_PLAYER` in finished rows."""

    def step(self, actions: IntArray, rows: MaskArray | None = None) -> Step:
        """Play actions [N] in `rows` (all unfinished rows when None).

        Entries outside `rows` are ignored and give zeros. Raises GameError for an illegal action or a
        finished row, before any game moves.
        """

    def returns(self) -> NDArray[np.float64]:
        """Sum of each player's rewards so far [N, players]."""

    def snapshot(self) -> dict[str, Any]:
        """All that `restore` needs to continue exactly (positions and random state), as JSON values."""

    def restore(self, snapshot: dict[str, Any]) -> list[int]:
        """Go back to a snapshot of a batch of the same game and size.

        Returns the rows whose games couldn't be restored, because seed and moves don't determine them: those rows
        start new games.
        """

    def render(self, row: int) -> str:
        """The position as text, for people."""

    def action_name(self, row: int, action: int) -> str:
        """The action as players write it in this position."""
