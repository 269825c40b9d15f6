"""Interval bounds on activations: how large the numbers inside a network can become, given only its weights.

A fused convolution turns NaN into 0, and a latent's norm turns everything into 0 once its squares overflow: such a
network would continue with finite but wrong numbers. Interval bound propagation (Gowal et al. 2018, "On the
Effectiveness of Interval Bound Propagation") proves that this can't happen: if |x| <= m at the start of a row of
layers, then |W x + b| <= |W| m + |b|. The largest m that keeps everything within range is the row's reach.

Bounds grow with each layer much faster than actual activations. So a row has at most one residual block, and the input
of the next one is measured while the network runs (`watch.Watch`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from muzero.model.networks import prefix
from muzero.model.networks.fused import folded
from muzero.model.networks.latent_norm import minmax

LARGEST = float(torch.finfo(torch.bfloat16).max) / 4
"""Largest allowed activation."""
ROUNDING = 1.0 + 2.0**-6
"""Most that rounding can add at a layer, including bfloat16 weights and sums."""


class Row:
    """A sequence of layers: |x| of each channel is at most slope * m + offset, where m bounds the inputs."""

    def __init__(self, columns: Tensor) -> None:
        """columns: slope and offset, float64 [C, 2]."""
        self.columns = columns
        self.reach = columns.new_full((), torch.inf)
        """[] the largest m that keeps everything within range; NaN if a weight isn't finite."""
        self.blocks = 0
        """Number of its residual blocks."""

    @staticmethod
    def of(channels: int, device: torch.device) -> Row:
        """A row whose inputs are at most m in each channel."""
        return Row(torch.tensor([[1.0, 0.0]], dtype=torch.float64, device=device).repeat(channels, 1))

    def fork(self) -> Row:
        """A copy of this row at this point."""
        return Row(self.columns)

    def limit(self, most: float | Tensor = LARGEST) -> Row:
        """Require everything to be at most `most` here."""
        slope, offset = self.columns.unbind(1)
        self.reach = torch.minimum(self.reach, ((most - offset) / slope).amin())
        return self

    def no_further_than(self, other: Row | None) -> Row:
        """This row, with its reach limited to that of `other`."""
        if other is not None:
            self.reach = torch.minimum(self.reach, other.reach)
        return self

    def layer(self, module: nn.Module, added: Tensor | None = None) -> Row:
        """Continue through a linear layer, or a convolution from `resnet.conv`. added [C]: a bound on what is added to
        its output."""
        weight, bias = (module.weight, module.bias) if isinstance(module, nn.Linear) else folded(module)
        return self.weighed(weight, bias.abs() if added is None else bias.abs() + added)

    def weighed(self, weight: Tensor, bias: Tensor) -> Row:
        """Continue through weights [out, in, ...] and biases [out] of at most this size."""
        sizes = weight.abs().flatten(2).sum(2) if weight.dim() > 2 else weight.abs()
        self.columns = sizes.double() @ self.columns
        self.columns[:, 1] += bias
        self.columns *= ROUNDING
        return self.limit()

    def plus(self, columns: Tensor) -> Row:
        """Add something bounded by other columns [C, 2]."""
        self.columns = self.columns + columns
        return self.limit()

    def repeated(self, times: int) -> Row:
        """Repeat each channel `times` times."""
        self.columns = self.columns.repeat_interleave(times, 0)
        return self


def norm_limit(normalise: object, numbers: int) -> float:
    """The largest entry that a latent of `numbers` entries may have before its norm."""
    return LARGEST if normalise is minmax else math.sqrt(LARGEST / numbers)


def latent_bound(normalise: object, numbers: int) -> float:
    """The largest entry a latent may have after its norm."""
    return ROUNDING * (1.0 if normalise is minmax else math.sqrt(numbers))


def memory(module: prefix.Prefix, width: int) -> Row:
    """The row of a value prefix, starting at the latent."""
    cell = module.cell
    row = Row.of(width, cell.weight_ih.device)
    if module.narrow is not None:
        row.layer(module.narrow).repeated(cell.input_size // prefix.NARROW)
    # The cell's state is a product of a sigmoid and a hyperbolic tangent.
    row.weighed(cell.weight_ih, cell.bias_ih.abs() + cell.bias_hh.abs() + cell.weight_hh.abs().sum(1))
    row.columns = row.columns.new_tensor([[0.0, 1.0]]).repeat(module.hidden, 1)
    return row.layer(module.inner).layer(module.outer)
