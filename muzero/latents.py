"""The pool of latents of one batched search: [S+1, B, *L] on the model's device, addressed by slot.

Slot 0 holds the roots; the node made at simulation s lives in slot s + 1. Latents never visit the host.
"""

from __future__ import annotations

import torch
from torch import Tensor


class LatentPool:
    """Holds the latents of up to `simulations` nodes of `trees` trees; reserved at once, reused by every search."""

    def __init__(self, simulations: int, trees: int, roots: Tensor) -> None:
        self.trees = trees
        shape = (simulations + 1, trees, *roots.shape[1:])
        self.pool = torch.empty(shape, dtype=roots.dtype, device=roots.device)
        self.flat = self.pool.view(-1, *roots.shape[1:])

    def fits(self, simulations: int, trees: int, roots: Tensor) -> bool:
        """True if the pool can hold such a search."""
        same = self.pool.shape[2:] == roots.shape[1:] and self.pool.dtype == roots.dtype
        return same and self.pool.device == roots.device and self.pool.shape[0] > simulations and self.trees == trees

    def put(self, slot: int, latent: Tensor, tree: Tensor | None = None) -> None:
        """Store latent [M, *L] of trees [M] (all when None) in `slot`."""
        if tree is None:
            self.pool[slot].copy_(latent)
        else:
            self.pool[slot].index_copy_(0, tree, latent)

    def take(self, slot: Tensor, tree: Tensor) -> Tensor:
        """Latents [M, *L] at (slot, tree), int64 [M] each."""
        return self.flat.index_select(0, slot * self.trees + tree)
