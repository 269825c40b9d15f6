"""The `pixels` network kind: h downsamples a picture four times by 2, to a small board for g and f of `resnet`.

Schrittwieser et al. 2020, appendix F: two strided convolutions and two mean poolings, with residual blocks after each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from games.base import ActionLayout, GameSpec
from muzero.config import ModelConfig
from muzero.model.networks import boards, fused
from muzero.model.networks.bounds import Row
from muzero.model.networks.fused import Derived, Entries
from muzero.model.networks.kind import Built, Fast, Outputs, Parts
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
        """blocks: after each of the first two downsamplings, and after each of the last two."""
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


class FastRepresentation:
    """Fast form of `Representation`: picture [B, C, H, W] -> latent [B, width, H / 16, W / 16]."""

    def __init__(self, derived: Derived, h: Representation, entries: Entries) -> None:
        self.first, self.second = fused.Conv.of(derived, h.first), fused.Conv.of(derived, h.second)
        self.towers = [fused.Blocks(derived, tower, entries) for tower in h.towers if isinstance(tower, nn.Sequential)]
        position = h.position
        self.position = None if position is None else derived.hold(lambda: position)
        self.normalise = h.normalise

    def __call__(self, obs: Tensor) -> Tensor:
        x = self.towers[1](self.second.relu(self.towers[0](self.first.relu(obs))))
        x = pool(self.towers[2](pool(x)))
        if self.position is not None:
            x = x + self.position
        return self.normalise(self.towers[3](x))


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    """See `kind.NetworkModule`."""
    shape = boards.planes_of(spec, config.network)
    h = Representation(
        shape, width=config.width, blocks=(config.picture_blocks, config.representation_blocks), norm=config.norm,
        latent_norm=config.latent_norm, position_bias=config.position_bias)
    # Cells of the downsampled board don't correspond to actions.
    return boards.over_board(spec, config, outputs, h, board(*shape[1:]), ActionLayout(), picture=True)


def fast(model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
    """See `kind.NetworkModule`."""
    assert isinstance(model.h, Representation)
    return boards.fast_over(FastRepresentation(derived, model.h, entries("h")), model, derived, entries)


def bounds(model: Built) -> dict[str, list[Row]]:
    """See `kind.NetworkModule`."""
    h = model.h
    assert isinstance(h, Representation)
    row = Row.of(model.spec.observation_shape[0], next(h.parameters()).device)
    rows = boards.tower([row.layer(h.first)], h.towers[0])
    rows[-1].layer(h.second)
    for later in (h.towers[1], h.towers[2]):
        rows = boards.tower(rows, later)
    if h.position is not None:
        position = h.position.abs().amax((1, 2)).double()
        rows[-1].plus(torch.stack((torch.zeros_like(position), position), 1))
    return boards.bounds_over(boards.tower(rows, h.towers[3]), model)
