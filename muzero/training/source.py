"""The interface between training and self-play: a `Source` supplies finished games, however they are played."""

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
    """An actor failed, can't be started or delivers impossible games; the message has the cause."""


class SnapshotError(MuZeroError, ValueError):
    """A source's snapshot can't be part of a checkpoint; the message says why."""


@dataclass(frozen=True)
class Delivery:
    """Finished games, or parts of games, and the work since the last delivery."""

    games: list[Trajectory]
    """Of at least one move each; see `selfplay.trajectory_check` for all requirements."""
    moves: int
    simulations: int
    returns: list[float]
    """Player 0's return in each game that ended, in the game's own units."""
    cut: int = 0
    """How many of those games `selfplay.max_moves` truncated."""


class Source(Protocol):
    """A supplier of games for the training loop."""

    @property
    def repeatable(self) -> bool:
        """Whether equal seeds give equal games. The seed then determines the run: no batch is sampled while games
        arrive, and each learning step's priorities are set before the next move."""

    def collect(self, wait: bool) -> list[Delivery]:
        """Finished games so far; with `wait`, play or wait for some (the list may still be empty).

        Raises ActorError, SearchError or GameError if play fails: the run is saved and ends. It also ends, and stores
        none of these games, if one of them fails `selfplay.trajectory_check`.
        """

    def publish(self, model: LearnedModel, progress: float) -> None:
        """Use these weights, which must not be changed, from the next move on. progress: training progress in [0, 1],
        for schedules."""

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        """State for an exact continuation: tensor files and JSON values of a checkpoint, under names that the run
        doesn't use itself (`deliveries.OWN_FILES`, `OWN_VALUES`). Both empty if a resumed run starts with new games."""

    def restore(self, files: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> int | None:
        """Restore the result of `snapshot` from the files and state of a whole checkpoint; returns how many unfinished
        games had to start again. None if it has no snapshot of this kind of source: then publish weights.

        Raises ValueError, KeyError, TypeError or RuntimeError for a snapshot that doesn't fit.
        """

    def close(self) -> None:
        """Stop playing; unfinished games are discarded."""


SourceOf = Callable[[Config, int], Source]
"""Makes the source for a run that starts or resumes at a learning step."""
