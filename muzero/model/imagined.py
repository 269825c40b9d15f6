"""What an auxiliary loss reads: the latents of an unroll, and the batch that was really played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from muzero.config import ModelConfig
from muzero.errors import SeamError


class Played(Protocol):
    """What was really played: a `muzero.replay.batch.Batch` as tensors, which says what each field is. All losses share
    them: don't change them."""

    @property
    def obs(self) -> Tensor: ...

    @property
    def action(self) -> Tensor: ...

    @property
    def reward(self) -> Tensor: ...

    @property
    def next_mover(self) -> Tensor: ...

    @property
    def value(self) -> Tensor: ...

    @property
    def legal(self) -> Tensor: ...

    @property
    def in_game(self) -> Tensor: ...

    @property
    def value_mask(self) -> Tensor: ...

    @property
    def later_obs(self) -> Tensor | None: ...

    @property
    def place(self) -> Tensor: ...


class Imagining(Protocol):
    """The parts of a `LearnedModel` that a term may ask."""

    config: ModelConfig

    def planes(self, obs: Tensor, dtype: torch.dtype) -> Tensor: ...

    def encode(self, obs: Tensor) -> Tensor: ...

    def bare(self, latent: Tensor) -> Tensor: ...

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]: ...

    def outcome(self, before: Tensor, after: Tensor, output: Tensor, mover: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Imagined:
    """The latents of a batch, and what was really played."""

    unrolled: list[Tensor]
    """K+1 times [B, *L]: the root's, then those imagined after each action"""
    played: Played
    model: Imagining

    @property
    def steps(self) -> int:
        """K, the actions unrolled."""
        return len(self.unrolled) - 1

    def positions(self) -> list[Tensor]:
        """All K+1 latents, each [B, *L] without the value prefix's state."""
        return [self.model.bare(latent) for latent in self.unrolled]

    def latents(self, steps: int) -> list[Tensor]:
        """The first `steps` imagined latents, each [B, *L] without the value prefix's state."""
        return [self.model.bare(latent) for latent in self.unrolled[1 : 1 + steps]]

    def seen(self, steps: int) -> list[Tensor]:
        """The observations at those steps, each [B, *O]. Raises SeamError where a batch has fewer."""
        later, given = self.played.later_obs, observed(self.played)
        if later is None or given < steps:
            raise SeamError(f"expected {steps} later observations of each position, got {given}: `later_obs` of the "
                            "auxiliary loss must say how many it reads")
        return list(later.unbind(1)[:steps])


def observed(played: Played) -> int:
    """How many later observations a batch has of each position."""
    return 0 if played.later_obs is None else played.later_obs.shape[1]
