"""Convolutional h, g and f over a board [C, H, W].

Heads share weights over the board: a head on the flattened board would have to learn every winning line separately.
Policies follow the game's action layout (cells, columns or a dense head); scalars come from mean- and max-pooled
channels. The small latent board of a picture is flattened instead, as its cells don't correspond to actions.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from games.base import ActionLayout
from muzero.model.networks.latent_norm import NORMS
from muzero.model.networks.output_layer import output_layer

FLAT_CHANNELS = 16
"""Channels of a latent board before a head flattens it."""


def conv(inputs: int, outputs: int, norm: str, stride: int = 1) -> nn.Module:
    """3x3 convolution, padded to the same size for stride 1, with optional batch norm."""
    if norm == "batch":
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs))
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


class Block(nn.Module):
    """x + conv(relu(conv(x))), then relu (He et al. 2016)."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.first = conv(channels, channels, norm)
        self.second = conv(channels, channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Representation(nn.Module):
    """h: observation [B, C, H, W] -> latent [B, width, H, W]."""

    def __init__(
        self, shape: tuple[int, int, int], *, width: int, blocks: int, norm: str, latent_norm: str,
        position_bias: bool,
    ) -> None:
        super().__init__()
        channels, height, columns = shape
        self.stem = conv(channels, width, norm)
        self.blocks = nn.Sequential(*(Block(width, norm) for _ in range(blocks)))
        self.position = nn.Parameter(torch.zeros(width, height, columns)) if position_bias else None
        self.normalise = NORMS[latent_norm]

    def forward(self, obs: Tensor) -> Tensor:
        x = self.stem(obs)
        if self.position is not None:
            x = x + self.position
        return self.normalise(self.blocks(F.relu(x)))


class ActionPlanes(nn.Module):
    """Action [M] -> planes [M, planes, H, W] that mark its cell; actions without a cell are a learned bias."""

    def __init__(self, num_actions: int, shape: tuple[int, int], layout: ActionLayout) -> None:
        super().__init__()
        height, width = shape
        self.planes = 1 if layout.kind == "columns" else layout.planes
        self.shape = (self.planes, height, width)
        action = torch.arange(num_actions)[:, None]
        if layout.kind == "columns":
            entries = torch.arange(height) * width + action
        else:
            entries = action % self.planes * (height * width) + action // self.planes
        # An action without a cell marks an extra entry past the planes, which is cut off.
        entries = torch.where(action < num_actions - layout.extra, entries, self.planes * height * width)
        self.register_buffer("entries", entries, persistent=False)
        self.entries: Tensor

    def forward(self, action: Tensor) -> Tensor:
        size = math.prod(self.shape)
        flat = torch.zeros(len(action), size + 1, device=action.device)
        return flat.scatter_(1, self.entries[action], 1.0)[:, :size].reshape(-1, *self.shape)


class Dynamics(nn.Module):
    """g: latent [M, width, H, W], action [M] -> next latent, transition outputs [M, units]."""

    def __init__(
        self, num_actions: int, shape: tuple[int, int], layout: ActionLayout, *, width: int, hidden: int, blocks: int,
        facts: int, norm: str, latent_norm: str, picture: bool = False,
    ) -> None:
        """shape: of the latent board. picture: whether it comes from a picture."""
        super().__init__()
        spatial = layout.kind != "flat"
        self.planes = ActionPlanes(num_actions, shape, layout) if spatial else None
        self.bias = nn.Embedding(num_actions, width) if not spatial or layout.extra else None
        self.enter = conv(width + (self.planes.planes if self.planes is not None else 0), width, norm)
        self.blocks = nn.Sequential(*(Block(width, norm) for _ in range(blocks)))
        self.facts: nn.Module | None = None
        if facts:
            self.facts = FlatHead(shape, width, hidden, facts) if picture else PooledHead(width, hidden, facts)
        self.normalise = NORMS[latent_norm]

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        x = latent if self.planes is None else torch.cat((latent, self.planes(action).to(latent.dtype)), 1)
        x = latent + self.enter(x.contiguous(memory_format=torch.channels_last))
        if self.bias is not None:
            x = x + self.bias(action)[:, :, None, None]
        x = self.blocks(F.relu(x))
        return self.normalise(x), x.new_zeros((len(x), 0)) if self.facts is None else self.facts(x)


class PooledHead(nn.Module):
    """[B, width, H, W] -> [B, units] from each channel's mean and maximum."""

    def __init__(self, width: int, hidden: int, units: int, zero: bool = False) -> None:
        super().__init__()
        self.local = nn.Conv2d(width, width, 1)
        self.inner = nn.Linear(2 * width, hidden)
        self.outer = output_layer(nn.Linear(hidden, units), zero=zero)

    def forward(self, x: Tensor) -> Tensor:
        # Keep channels-last memory format: gradients of pooled planes would come back in another one.
        cells = F.relu(self.local(x)).permute(0, 2, 3, 1).flatten(1, 2)
        pooled = torch.cat((cells.mean(1), cells.amax(1)), 1)
        out: Tensor = self.outer(F.relu(self.inner(pooled)))
        return out


class FlatHead(nn.Module):
    """[B, width, H, W] -> [B, units] from the flattened board: in a picture it matters where something is."""

    def __init__(self, shape: tuple[int, int], width: int, hidden: int, units: int, zero: bool = False) -> None:
        super().__init__()
        self.local = nn.Conv2d(width, FLAT_CHANNELS, 1)
        self.inner = nn.Linear(FLAT_CHANNELS * shape[0] * shape[1], hidden)
        self.outer = output_layer(nn.Linear(hidden, units), zero=zero)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.outer(F.relu(self.inner(F.relu(self.local(x)).flatten(1))))
        return out


class PolicyHead(nn.Module):
    """[B, width, H, W] -> logits [B, A] in the order of the game's action layout."""

    def __init__(
        self, num_actions: int, shape: tuple[int, int], layout: ActionLayout, width: int, hidden: int,
        zero: bool = True,
    ) -> None:
        super().__init__()
        self.kind = layout.kind
        height, columns = shape
        self.extra = PooledHead(width, hidden, layout.extra, zero=zero) if layout.extra else None
        if layout.kind == "flat":
            self.inner: nn.Module = nn.Sequential(
                nn.Conv2d(width, max(2, width // 8), 1), nn.ReLU(), nn.Flatten(),
                nn.Linear(max(2, width // 8) * height * columns, hidden),
            )
            self.outer: nn.Module = output_layer(nn.Linear(hidden, num_actions), zero=zero)
        else:
            kernel = (height, 1) if layout.kind == "columns" else (1, 1)
            self.inner = nn.Conv2d(width, hidden, kernel)
            self.outer = output_layer(nn.Conv2d(hidden, layout.planes, 1), zero=zero)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.outer(F.relu(self.inner(x)))
        if self.kind != "flat":
            out = out.permute(0, 2, 3, 1).flatten(1)
        return out if self.extra is None else torch.cat((out, self.extra(x)), 1)


class Prediction(nn.Module):
    """f: latent [B, width, H, W] -> policy logits [B, A], value [B, units]."""

    def __init__(
        self, num_actions: int, shape: tuple[int, int], layout: ActionLayout, *, width: int, hidden: int,
        value_units: int, picture: bool = False,
    ) -> None:
        """picture: whether the latent comes from a picture, in which actions have no cells."""
        super().__init__()
        self.policy: nn.Module
        self.value: nn.Module
        if picture:
            self.policy = FlatHead(shape, width, hidden, num_actions, zero=True)
            self.value = FlatHead(shape, width, hidden, value_units, zero=True)
        else:
            self.policy = PolicyHead(num_actions, shape, layout, width, hidden)
            self.value = PooledHead(width, hidden, value_units, zero=True)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        return self.policy(latent), self.value(latent)
