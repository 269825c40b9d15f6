"""The model interface: `Model` is all that a search needs of a model, be it a network, a table or the true rules.

Shape letters: B trees, M leaves (M <= B), A actions, *O one observation, *L one latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.errors import MuZeroError

IMPOSSIBLE = float(np.finfo(np.float32).min)
"""Logit of an illegal action, which the tree treats as "no such action". It would still try an action with any other
logit, however low, if the completed Q of unvisited actions exceeded that of every visited one."""


@dataclass(frozen=True)
class RootOutput:
    """A model's outputs for positions."""

    latent: Tensor
    """[B, *L]"""
    logits: Tensor
    """[B, A]"""
    value: Tensor
    """[B] for the player to move"""
    context: tuple[Tensor, ...] = ()
    """[B, ...] each: of every tree what its steps are told again, behind latent and action; most models need none"""


@dataclass(frozen=True)
class StepOutput:
    """A model's outputs for actions taken in latents."""

    latent: Tensor
    """[M, *L] after the action"""
    reward: Tensor
    """[M] for the player who moved"""
    discount: Tensor
    """[M] signed: + if the same player moves next, - if the other one does, 0 at the end"""
    logits: Tensor
    """[M, A]"""
    value: Tensor
    """[M] for the player to move after the action"""


class SearchError(MuZeroError, RuntimeError):
    """A model can't be searched because of its weights, inputs or outputs."""


class Model(Protocol):
    """Evaluates positions and actions. It may be a table, the true rules or a learned network."""

    num_actions: int

    @property
    def device(self) -> torch.device:
        """The device on which positions and actions must be."""

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Evaluate positions obs [B, *O], from the model's `view`, with legal moves bool [B, A]; both on `device`."""

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """Evaluate actions int64 [M] taken in latents [M, *L]. A model that knows the legal actions gives every other
        action the logit `IMPOSSIBLE`, so that the search doesn't try it. If its roots have a `context`, a model is
        given that too, [M, ...] each: of every latent the context of its root."""


class SearchModel(Model, Protocol):
    """A model that plays while its weights are trained elsewhere."""

    @property
    def players(self) -> int:
        """Players of its game, 1 or 2: whether an opponent replies."""

    @property
    def dtype(self) -> torch.dtype:
        """Number format of its networks."""

    def refresh(self) -> None:
        """Pick up the current weights."""

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """The input of `root` for N games [N, ...], made from the games or from their observations [N, *O]. numbers [N]
        tell the games of an actor apart: each has one of its own, from its first move to its last."""
