"""h for pictures: four halvings down to a small board, on which g and f of `resnet` work.

Schrittwieser et al. 2020, appendix F: two strided convolutions and two mean poolings, residual blocks after each.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.model.networks.latent_norm import NORMS
from muzero.model.networks.resnet import Block, conv

HALVINGS = 4


def board(height: int, width: int) -> tuple[int, int]:
    """Height and width of the latent of a picture of this size."""
    for _ in range(HALVINGS):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def pool(x: Tensor) -> Tensor:
    """[B, C, H, W] to half the height and width, each rounded up."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


class Representation(nn.Module):
    """h: picture [B, C, H, W] -> latent [B, width, H / 16, W / 16], rounded up."""

    def __init__(
        self, shape: tuple[int, int, int], *, width: int, blocks: tuple[int, int], norm: str, latent_norm: str,
        position_bias: bool,
    ) -> None:
        """blocks: after each of the first two halvings, and of the last two."""
        super().__init__()
        narrow = max(1, width // 2)
        self.first, self.second = conv(shape[0], narrow, norm, stride=2), conv(narrow, width, norm, stride=2)
        self.towers = nn.ModuleList(
            nn.Sequential(*(Block(channels, norm) for _ in range(blocks[halving // 2])))
            for halving, channels in enumerate((narrow, width, width, width)))
        self.position = nn.Parameter(torch.zeros(width, *board(*shape[1:]))) if position_bias else None
        self.normalise = NORMS[latent_norm]

    def forward(self, obs: Tensor) -> Tensor:
        x = self.towers[0](F.relu(self.first(obs)))
        x = self.towers[1](F.relu(self.second(x)))
        x = pool(self.towers[2](pool(x)))
        if self.position is not None:
            x = x + self.position
        return self.normalise(self.towers[3](x))
