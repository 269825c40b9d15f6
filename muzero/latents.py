"""The pool of latents of one batched search: S+1 slots of B latents on the model's device, addressed by slot.

Slot 0 holds the roots; the node made at simulation s lives in slot s + 1. Latents never visit the host. Boards
[C, H, W] are kept channels last, the order in which convolutions are fastest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class LatentPool:
    """Holds the latents of up to `simulations` nodes of `trees` trees; reserved at once, reused by every search."""

    def __init__(self, simulations: int, trees: int, roots: Tensor) -> None:
        self.simulations, self.trees = simulations, trees
        self.shape = roots.shape[1:]
        size = math.prod(self.shape)
        self.rows = torch.empty(((simulations + 1) * trees, size), dtype=roots.dtype, device=roots.device)

    def fits(self, simulations: int, trees: int, roots: Tensor) -> bool:
        """True if the pool can hold such a search."""
        same = self.shape == roots.shape[1:] and self.rows.dtype == roots.dtype and self.rows.device == roots.device
        return same and self.simulations >= simulations and self.trees == trees

    def put(self, slot: int, latent: Tensor, tree: Tensor | None = None) -> None:
        """Store latent [M, *L] of trees int64 [M] (all when None) in `slot`."""
        if latent.dim() == 4:
            latent = latent.permute(0, 2, 3, 1)
        flat = latent.reshape(len(latent), -1)
        rows = self.rows[slot * self.trees : (slot + 1) * self.trees]
        if tree is None:
            rows.copy_(flat)
        else:
            rows.index_copy_(0, tree, flat)

    def take(self, slot: Tensor, tree: Tensor) -> Tensor:
        """Latents [M, *L] at (slot, tree), int64 [M] each."""
        found = self.rows.index_select(0, slot * self.trees + tree)
        if len(self.shape) == 3:
            channels, height, width = self.shape
            return found.view(-1, height, width, channels).permute(0, 3, 1, 2)
        return found.view(-1, *self.shape)
