"""The model interface: `Model` is all that a search asks of a model, be it a network, a table or the rules.

Shape letters: B trees, M leaves (M <= B), A actions, *O one observation, *L one latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.errors import MuZeroError


@dataclass(frozen=True)
class RootOutput:
    """What a model says of a position."""

    latent: Tensor
    """[B, *L]"""
    logits: Tensor
    """[B, A]"""
    value: Tensor
    """[B] for the player to move"""


@dataclass(frozen=True)
class StepOutput:
    """What a model says of an action taken in a latent."""

    latent: Tensor
    """[M, *L] after the action"""
    reward: Tensor
    """[M] seen by the player who moved"""
    discount: Tensor
    """[M] signed: + the same player moves next, - the other one, 0 the end"""
    logits: Tensor
    """[M, A]"""
    value: Tensor
    """[M] for the player to move after the action"""


class SearchError(MuZeroError, RuntimeError):
    """A model can't be searched: its weights, what it is given, or what it says."""


class Model(Protocol):
    """Turns positions and actions into numbers. A table, true rules or a learned network will do."""

    num_actions: int

    @property
    def device(self) -> torch.device:
        """Where positions and actions must be."""

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Positions obs [B, *O], as the model's view of them, with legal moves bool [B, A]; both on `device`."""

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """Actions int64 [M] taken in latents [M, *L]. A model that knows what is legal there gives every other action
        the lowest logit a float32 has, and the search doesn't try it."""


class SearchModel(Model, Protocol):
    """A model that plays while its weights are trained elsewhere."""

    @property
    def dtype(self) -> torch.dtype:
        """Numbers its networks compute with."""

    def refresh(self) -> None:
        """Take over the weights as they are now."""

    def view(self, games: GameBatch, obs: NDArray[Any]) -> NDArray[Any]:
        """What `root` reads of N games [N, ...], given them and their observations [N, *O]."""
