"""Interval bounds on activations: how large the numbers inside a network can become, from its weights alone.

A fused convolution turns NaN into 0, and a latent's norm turns everything into 0 once its squares leave the range of a
float: a network that does so goes on with finite, wrong numbers. So it is proven that none does, by interval bound
propagation (Gowal et al. 2018, "On the Effectiveness of Interval Bound Propagation"): if |x| <= m where a row of layers
begins, then |W x + b| <= |W| m + |b|. The largest m that keeps everything within range is the row's reach.

Bounds grow with each layer as real numbers hardly ever do. So a row has one residual block at most, and what enters
the next one is measured while the network runs (`watch.Watch`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from muzero.model.networks import prefix
from muzero.model.networks.fused import folded
from muzero.model.networks.latent_norm import minmax

LARGEST = float(torch.finfo(torch.bfloat16).max) / 4
"""What no number on the way may exceed."""
ROUNDING = 1.0 + 2.0**-6
"""What rounding can add at a layer, bfloat16's of weights and sums included."""


class Row:
    """Layers one after the other: |x| of each channel is at most slope * m + offset, where m bounds all that enters."""

    def __init__(self, columns: Tensor) -> None:
        """columns: slope and offset, float64 [C, 2]."""
        self.columns = columns
        self.reach = columns.new_full((), torch.inf)
        """[] the largest m that keeps everything within range; NaN where a weight isn't finite."""
        self.blocks = 0
        """Residual blocks it has."""

    @staticmethod
    def of(channels: int, device: torch.device) -> Row:
        """Entries of up to m in each channel."""
        return Row(torch.tensor([[1.0, 0.0]], dtype=torch.float64, device=device).repeat(channels, 1))

    def fork(self) -> Row:
        """Another row that has come as far as this one."""
        return Row(self.columns)

    def limit(self, most: float | Tensor = LARGEST) -> Row:
        """Nothing may be larger than `most` here."""
        slope, offset = self.columns.unbind(1)
        self.reach = torch.minimum(self.reach, ((most - offset) / slope).amin())
        return self

    def no_further_than(self, other: Row | None) -> Row:
        """This row, whose reach is at most that of `other`."""
        if other is not None:
            self.reach = torch.minimum(self.reach, other.reach)
        return self

    def layer(self, module: nn.Module, added: Tensor | None = None) -> Row:
        """A linear layer, or a convolution as `resnet.conv` makes it. added [C]: what joins its output, at most."""
        weight, bias = (module.weight, module.bias) if isinstance(module, nn.Linear) else folded(module)
        return self.weighed(weight, bias.abs() if added is None else bias.abs() + added)

    def weighed(self, weight: Tensor, bias: Tensor) -> Row:
        """Weights [out, in, ...] and biases [out] of at most this size."""
        sizes = weight.abs().flatten(2).sum(2) if weight.dim() > 2 else weight.abs()
        self.columns = sizes.double() @ self.columns
        self.columns[:, 1] += bias
        self.columns *= ROUNDING
        return self.limit()

    def plus(self, columns: Tensor) -> Row:
        """A sum with what is bounded by other columns [C, 2]."""
        self.columns = self.columns + columns
        return self.limit()

    def repeated(self, times: int) -> Row:
        """Each channel as `times` channels."""
        self.columns = self.columns.repeat_interleave(times, 0)
        return self


def norm_limit(normalise: object, numbers: int) -> float:
    """The largest entry of which a latent of `numbers` entries may consist before its norm."""
    return LARGEST if normalise is minmax else math.sqrt(LARGEST / numbers)


def latent_bound(normalise: object, numbers: int) -> float:
    """The largest entry a latent may have after its norm."""
    return ROUNDING * (1.0 if normalise is minmax else math.sqrt(numbers))


def memory(module: prefix.Prefix, width: int) -> Row:
    """The row of a value prefix, from the latent on."""
    cell = module.cell
    row = Row.of(width, cell.weight_ih.device)
    if module.narrow is not None:
        row.layer(module.narrow).repeated(cell.input_size // prefix.NARROW)
    # What the cell remembers is the product of a sigmoid and a hyperbolic tangent.
    row.weighed(cell.weight_ih, cell.bias_ih.abs() + cell.bias_hh.abs() + cell.weight_hh.abs().sum(1))
    row.columns = row.columns.new_tensor([[0.0, 1.0]]).repeat(module.hidden, 1)
    return row.layer(module.inner).layer(module.outer)
