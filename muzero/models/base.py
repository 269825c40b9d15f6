"""The protocol between a search and whatever knows the game."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from muzero.records import RootOutput, StepOutput


class Model(Protocol):
    """Turns positions and actions into numbers. A table, true rules or a learned network will do."""

    num_actions: int

    @property
    def device(self) -> torch.device:
        """Where positions and actions must be."""

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Positions obs [B, *O] with legal moves bool [B, A], both on `device`."""

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """Actions int64 [M] taken in latents [M, *L]."""
