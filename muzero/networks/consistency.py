"""Projector and predictor of self-consistent latents (Ye et al. 2021, EfficientZero, section 4.1)."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class Consistency(nn.Module):
    """Negative cosine between predictor(projector(unrolled)) and projector(encoded), the latter held fixed."""

    def __init__(self, latent_shape: tuple[int, ...], width: int = 128) -> None:
        super().__init__()
        self.projector = nn.Sequential(nn.Linear(math.prod(latent_shape), width), nn.ReLU(), nn.Linear(width, width))
        self.predictor = nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, width))

    def forward(self, unrolled: Tensor, encoded: Tensor) -> Tensor:
        """[B, *L], [B, *L] -> loss [B] in [-1, 1]."""
        guess = self.predictor(self.projector(unrolled.flatten(1)))
        wanted = self.projector(encoded.flatten(1)).detach()
        return -F.cosine_similarity(guess, wanted, dim=1)
