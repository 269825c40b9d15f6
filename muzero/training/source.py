"""The seam between training and its games: what a `Source` of finished games answers, whoever plays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from muzero.config import Config
from muzero.errors import MuZeroError
from muzero.model.learned import LearnedModel
from selfplay.trajectory import Trajectory

Files = dict[str, dict[str, Any]]
"""Tensor files of a checkpoint: name without suffix -> tensor name -> array."""


class ActorError(MuZeroError, RuntimeError):
    """Whoever plays failed, or can't be started; the message holds the cause."""


@dataclass(frozen=True)
class Delivery:
    """Finished games, or parts of games, and what it took to play since the last delivery."""

    games: list[Trajectory]
    moves: int
    simulations: int
    returns: list[float]
    """What each game that ended paid to player 0, in the game's own units."""
    cut: int = 0
    """How many of those games `selfplay.max_moves` cut before their end."""


class Source(Protocol):
    """What the training loop asks of whoever supplies its games."""

    @property
    def repeatable(self) -> bool:
        """Equal seeds give equal games. The run is then a function of its seed: no batch is drawn while games come in,
        and each learning step's priorities are set before the next move."""

    def collect(self, wait: bool) -> list[Delivery]:
        """Finished games so far; with `wait`, play or wait for some (an empty list may still come).

        Raises ActorError, SearchError or GameError where play fails: the run is saved and ends.
        """

    def publish(self, model: LearnedModel, progress: float) -> None:
        """Play with these weights from the next move on. progress: of the training, in [0, 1], for schedules."""

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        """What it needs to go on exactly: tensor files and JSON values of a checkpoint. Both empty where a run goes on
        with other games."""

    def restore(self, files: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> int | None:
        """Go back to what `snapshot` gave, among the files and state of a whole checkpoint; how many unfinished games
        had to begin anew. None where it holds no snapshot of this kind of source: weights must be published then.

        Raises ValueError, KeyError, TypeError or RuntimeError for a snapshot that doesn't fit.
        """

    def close(self) -> None:
        """Stop playing; unfinished games are lost."""


SourceOf = Callable[[Config, int], Source]
"""Makes the source of a run that begins, or goes on, at a learning step."""
