"""Random features of an observation: a fixed random projection, and its guess from an imagined latent.

Near-orthogonal random vectors keep the differences of observations (Johnson and Lindenstrauss 1984) and never change,
as the target of random network distillation doesn't (Burda et al. 2018): what is learned about one position says
little of another, also while h is still learning to tell them apart.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RandomFeatures(nn.Module):
    """`size` features of observations [B, *O], and those expected of a latent [B, *L]."""

    def __init__(self, observation_shape: tuple[int, ...], latent_shape: tuple[int, ...], size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("projection", math.sqrt(2.0) * torch.randn(size, math.prod(observation_shape)))
        self.guess = nn.Linear(math.prod(latent_shape), size)
        self.projection: Tensor

    def seen(self, planes: Tensor) -> Tensor:
        """[B, size] in float32 of observations [B, *O] as h reads them. They are bounded, and of a single 1 their mean
        square is 1."""
        flat = planes.flatten(1).float()
        return F.linear(flat * torch.rsqrt(1.0 + flat.square().sum(1, keepdim=True)), self.projection)

    def imagined(self, latent: Tensor) -> Tensor:
        """[B, size] expected of latents [B, *L]."""
        expected: Tensor = self.guess(latent.flatten(1))
        return expected

    def missed(self, latent: Tensor, planes: Tensor) -> Tensor:
        """[B]: mean squared error of what is expected of latents [B, *L], which get no gradient."""
        return (self.imagined(latent.detach()).float() - self.seen(planes)).square().mean(1)
