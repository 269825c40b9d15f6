"""The protocol between a search and whatever knows the game."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.records import RootOutput, StepOutput


class SearchError(RuntimeError):
    """A model can't be searched: its weights, what it is given, or what it says."""


class Model(Protocol):
    """Turns positions and actions into numbers. A table, true rules or a learned network will do."""

    num_actions: int

    @property
    def device(self) -> torch.device:
        """Where positions and actions must be."""

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Positions obs [B, *O], as the model's `Sight` gives them, with legal moves bool [B, A]; both on `device`."""

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """Actions int64 [M] taken in latents [M, *L]. A model that knows what is legal there gives every other action
        the lowest logit a float32 has, and the search doesn't try it."""


class Acting(Model, Protocol):
    """A model that plays while its weights are trained elsewhere."""

    @property
    def dtype(self) -> torch.dtype:
        """Numbers its networks compute with."""

    def refresh(self) -> None:
        """Take over the weights as they are now."""


Sight = Callable[[GameBatch, NDArray[Any]], NDArray[Any]]
"""What a model's root takes of N games [N, ...], given them and their observations [N, *O]."""


def observed(games: GameBatch, obs: NDArray[Any]) -> NDArray[Any]:
    """The observations themselves. A `Sight`."""
    del games
    return obs
