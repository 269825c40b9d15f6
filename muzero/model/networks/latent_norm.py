"""Normalisation of latents, without parameters: keeps repeated applications of g in range."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def layer(x: Tensor) -> Tensor:
    """[B, *L] to mean 0 and variance 1 over *L."""
    if x.dim() == 4:  # keep the channels-last memory format, which would be lost otherwise
        planes = x.permute(0, 2, 3, 1)
        return F.layer_norm(planes, planes.shape[1:]).permute(0, 3, 1, 2)
    return F.layer_norm(x, x.shape[1:])


def rms(x: Tensor) -> Tensor:
    """[B, *L] to mean square 1 over *L."""
    if x.dim() == 4:
        planes = x.permute(0, 2, 3, 1)
        return F.rms_norm(planes, planes.shape[1:], eps=1e-6).permute(0, 3, 1, 2)
    return F.rms_norm(x, x.shape[1:], eps=1e-6)


def minmax(x: Tensor) -> Tensor:
    """[B, *L] to [0, 1] over *L (Schrittwieser et al. 2020, appendix G)."""
    flat = x.flatten(1)
    shape = (-1,) + (1,) * (x.dim() - 1)
    low, high = flat.amin(1).view(shape), flat.amax(1).view(shape)
    return (x - low) / (high - low).clamp(min=1e-5)


NORMS: dict[str, Callable[[Tensor], Tensor]] = {"layer": layer, "rms": rms, "minmax": minmax}
