"""Decoder of observations from latents, for the reconstruction loss."""

from __future__ import annotations

import math

from torch import Tensor, nn

from muzero.model.networks.output_layer import output_layer


class Decoder(nn.Module):
    """Latent [B, *L] -> observation logits [B, *O]: linear, and on a board [C, H, W] the same in each cell.

    Linear, so that the latent itself must represent the position.
    """

    def __init__(self, latent_shape: tuple[int, ...], observation_shape: tuple[int, ...]) -> None:
        """Raises ValueError for a board of another size than the observation's."""
        super().__init__()
        self.shape = observation_shape
        if len(latent_shape) == 1:
            self.outer: nn.Module = output_layer(nn.Linear(latent_shape[0], math.prod(observation_shape)))
            return
        if latent_shape[1:] != observation_shape[1:]:
            raise ValueError(f"expected a latent over cells {list(observation_shape[1:])}, got {list(latent_shape)}")
        self.outer = output_layer(nn.Conv2d(latent_shape[0], observation_shape[0], 1))

    def forward(self, latent: Tensor) -> Tensor:
        out: Tensor = self.outer(latent)
        return out.view(-1, *self.shape)
