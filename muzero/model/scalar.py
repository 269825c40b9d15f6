"""Categorical values and rewards: value transform, two-hot encoding, and their losses.

Source of the transform: Pohlen et al. 2018, "Observe and Look Further", eq. 2; of the two-hot form: Schrittwieser et
al. 2020, appendix F.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from muzero.config import ConfigError, ScalarConfig
from muzero.config.support import EPSILON


def units(config: ScalarConfig) -> int:
    """Output units of a head for one scalar. Raises ConfigError if that is still automatic."""
    if config.kind == "categorical" and config.bins == 0:
        raise ConfigError("bins of a support: expected a number here, got 0 (automatic): call "
                          "muzero.bench.sizing.resolve(config) first")
    return config.bins if config.kind == "categorical" else 1


def squash(x: Tensor) -> Tensor:
    """h(x) = sign(x)(sqrt(|x| + 1) - 1) + eps x, elementwise."""
    return torch.sign(x) * (torch.sqrt(torch.abs(x) + 1.0) - 1.0) + EPSILON * x


def unsquash(y: Tensor) -> Tensor:
    """The inverse of `squash`, elementwise."""
    root = torch.sqrt(1.0 + 4.0 * EPSILON * (torch.abs(y) + 1.0 + EPSILON))
    return torch.sign(y) * (((root - 1.0) / (2.0 * EPSILON)) ** 2 - 1.0)


def stated(x: Tensor, config: ScalarConfig) -> Tensor:
    """x [...] in the game's units -> the network's target, before it is clipped to the support."""
    if config.offset != 0.0:
        x = x - config.offset
    if config.scale != 1.0:
        x = x / config.scale
    return squash(x) if config.transform else x


def told(y: Tensor, config: ScalarConfig) -> Tensor:
    """The inverse of `stated`."""
    x = unsquash(y) if config.transform else y
    if config.scale != 1.0:
        x = x * config.scale
    return x if config.offset == 0.0 else x + config.offset


def two_hot(x: Tensor, config: ScalarConfig) -> Tensor:
    """x [...] -> probabilities [..., bins] whose mean is x, clipped to the support."""
    scaled = stated(x, config)
    width = (config.high - config.low) / (config.bins - 1)
    place = ((scaled.clamp(config.low, config.high) - config.low) / width).clamp(0.0, config.bins - 1.0)
    lower = place.floor().clamp(max=config.bins - 2.0)
    share = (place - lower).unsqueeze(-1)
    # NaN has no index; it stays in the fraction, so that the loss shows it.
    index = lower.nan_to_num().long().unsqueeze(-1)
    out = torch.zeros((*x.shape, config.bins), dtype=scaled.dtype, device=x.device)
    out.scatter_(-1, index, 1.0 - share)
    return out.scatter_(-1, index + 1, share)


def decode(output: Tensor, config: ScalarConfig) -> Tensor:
    """Head output [..., units] -> scalars [...] in the game's units, float32."""
    output = output.float()
    if config.kind == "scalar":
        raw = output.squeeze(-1)
    else:
        support = torch.linspace(config.low, config.high, config.bins, device=output.device)
        raw = torch.softmax(output, -1) @ support
    return told(raw, config)


def loss(output: Tensor, target: Tensor, config: ScalarConfig) -> Tensor:
    """Head output [..., units], target [...] in the game's units -> loss [...]."""
    output = output.float()
    if config.kind == "categorical":
        return -(two_hot(target, config) * F.log_softmax(output, -1)).sum(-1)
    return (output.squeeze(-1) - stated(target, config)) ** 2
