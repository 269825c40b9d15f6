"""Self-consistency loss: projector and predictor (Ye et al. 2021, EfficientZero, section 4.1 and appendix A.1)."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class Consistency(nn.Module):
    """Negative cosine similarity of predictor(projector(unrolled)) and projector(encoded), the latter without gradient.

    Batch norm between the layers, whatever the other networks use, keeps projections apart: without it the cosine is 1
    at once, as latents have most of their content in common. Not used in play.
    """

    def __init__(self, latent_shape: tuple[int, ...], width: int) -> None:
        """width: units of the projection."""
        super().__init__()
        inner = max(1, width // 2)
        self.projector = nn.Sequential(
            *_dense(math.prod(latent_shape), width), nn.ReLU(), *_dense(width, width), nn.ReLU(), *_dense(width, width))
        self.predictor = nn.Sequential(*_dense(width, inner), nn.ReLU(), nn.Linear(inner, width))

    def forward(self, unrolled: Tensor, encoded: Tensor) -> Tensor:
        """[B, *L], [B, *L] -> loss [B] in [-1, 1]."""
        guess = self.predictor(self.projector(unrolled.flatten(1)))
        target = self.projector(encoded.flatten(1)).detach()
        return -F.cosine_similarity(guess, target, dim=1)


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)
