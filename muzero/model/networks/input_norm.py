"""Per-pixel input normalisation.

A ball of two pixels is a thousandth of a picture. After strided convolutions and mean pooling it is lost in the static
background, and a network without batch norm learns neither the ball nor its reward. So each pixel is standardised by
its own mean and standard deviation, and clipped at +-5 (Burda et al. 2018, "Exploration by Random Network
Distillation", section 2.4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CUT = 5.0
"""Pixels are clipped at this many standard deviations."""
LEAST = 1.0 / 32.0
"""Least standard deviation, as a fraction of the largest entry, so that noise in a static pixel isn't amplified."""
PICTURES_AT_ONCE = 256
"""Pictures measured at once; bounds the memory."""


class Standardise(nn.Module):
    """Standardises observations [B, frames * C, H, W], every frame with the same mean and standard deviation.

    Both are stored with the weights. Until `measure` has seen pictures, pixels are divided by the largest entry.
    """

    def __init__(self, frame_shape: tuple[int, ...], high: float) -> None:
        """frame_shape: shape of one frame [C, H, W]; high: the largest entry."""
        super().__init__()
        self.least = LEAST * high
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(frame_shape))
        self.register_buffer("scale", torch.full(frame_shape, 1.0 / high))

    @torch.no_grad()
    def measure(self, obs: Tensor) -> None:
        """Set mean and deviation to those of the frames of obs [B, frames * C, H, W]."""
        frames = obs.reshape(-1, *self.mean.shape)
        total = torch.zeros(self.mean.shape, dtype=torch.float64)
        squares = torch.zeros_like(total)
        for chunk in torch.split(frames, PICTURES_AT_ONCE):
            entries = chunk.double()
            total += entries.sum(0)
            squares += (entries * entries).sum(0)
        mean = total / len(frames)
        deviation = (squares / len(frames) - mean * mean).clamp(min=0.0).sqrt()
        self.mean.copy_(mean)
        self.scale.copy_(1.0 / deviation.clamp(min=self.least))

    def forward(self, obs: Tensor) -> Tensor:
        frames = obs.reshape(len(obs), -1, *self.mean.shape)
        # In place after the first operation: allocating memory for each takes longer than the arithmetic.
        return torch.sub(frames, self.mean).mul_(self.scale).clamp_(-CUT, CUT).reshape(obs.shape)
