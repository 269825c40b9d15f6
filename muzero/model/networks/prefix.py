"""Value prefix (EfficientZero): predicts the sum of rewards along the unroll with an LSTM.

Ye et al. 2021, section 4.2: it is hard to predict on which step a reward arrives, but not that it arrives. The memory
is part of the latent: the LSTM's state, the last predicted sum, and the number of moves since the sum was reset.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.model.networks.output_layer import output_layer

NARROW = 16
"""Channels of a board that the LSTM sees."""


class Packing:
    """A latent [B, *L] and its memory [B, size] as one tensor, longer along L's first axis: more numbers, tokens or,
    for boards [C, H, W], planes."""

    def __init__(self, latent_shape: tuple[int, ...], size: int) -> None:
        self.channels, self.size = latent_shape[0], size
        self.places = math.prod(latent_shape[1:])
        extra = -(-size // self.places)
        self.shape = (latent_shape[0] + extra, *latent_shape[1:])
        self.padding = extra * self.places - size

    def pack(self, latent: Tensor, memory: Tensor) -> Tensor:
        filled = F.pad(memory, (0, self.padding)).to(latent.dtype)
        if latent.dim() == 4:
            _, _, height, width = latent.shape
            filled = filled.view(len(filled), height, width, -1).permute(0, 3, 1, 2)
        else:
            filled = filled.view(len(filled), -1, *latent.shape[2:])
        return torch.cat((latent, filled), 1)

    def latent(self, packed: Tensor) -> Tensor:
        return packed[:, : self.channels]

    def memory(self, packed: Tensor) -> Tensor:
        """[B, size] in float32."""
        planes = packed[:, self.channels :]
        if planes.dim() == 4:
            planes = planes.permute(0, 2, 3, 1)
        return planes.flatten(1)[:, : self.size].float()


class Prefix(nn.Module):
    """Latent after a move [M, *L], memory before it [M, size] -> sum of rewards [M, units], memory after it."""

    def __init__(
        self, latent_shape: tuple[int, ...], hidden: int, units: int, period: int, decode: Callable[[Tensor], Tensor]
    ) -> None:
        """period: moves after which the sum is reset. decode: output units to scalars, [M, units] -> [M]."""
        super().__init__()
        self.period, self.hidden, self.decode = period, hidden, decode
        self.size = 2 * hidden + 2
        board = len(latent_shape) == 3
        self.narrow = nn.Conv2d(latent_shape[0], NARROW, 1) if board else None
        self.cell = nn.LSTMCell(math.prod(latent_shape[1:]) * (NARROW if board else latent_shape[0]), hidden)
        self.inner = nn.Linear(hidden, hidden)
        self.outer = output_layer(nn.Linear(hidden, units), zero=True)

    def forward(self, latent: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        seen = latent if self.narrow is None else F.relu(self.narrow(latent))
        memory = self.begun(memory)
        state = memory[:, : 2 * self.hidden].to(seen.dtype)
        h, c = self.cell(seen.flatten(1), (state[:, : self.hidden], state[:, self.hidden :]))
        said = self.outer(F.relu(self.inner(F.relu(h))))
        facts = torch.stack((self.decode(said.detach()), memory[:, -1] + 1.0), 1)
        return said, torch.cat((h.float(), c.float(), facts), 1)

    def begun(self, memory: Tensor) -> Tensor:
        """Memory [M, size] for the next move: all zero where the sum is reset."""
        return memory * (memory[:, -1:] < self.period)

    def paid(self, before: Tensor, after: Tensor) -> Tensor:
        """Reward [M] of the move between two memories [M, size]."""
        return after[:, -2] - self.begun(before)[:, -2]


def sums(reward: Tensor, period: int) -> Tensor:
    """Rewards [K, B] of successive moves -> prediction targets: their running sums, reset after each `period` moves;
    for a period of 0, the rewards themselves."""
    if period == 0 or len(reward) == 0:
        return reward
    return torch.cat([part.cumsum(0) for part in torch.split(reward, period)])


def differences(total: Tensor, period: int) -> Tensor:
    """The inverse of `sums`."""
    if period == 0:
        return total
    parts = torch.split(total, period)
    return torch.cat([torch.diff(part, dim=0, prepend=torch.zeros_like(part[:1])) for part in parts])
