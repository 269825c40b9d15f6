"""The pool of latents of one batched search: S+1 slots of B latents on the model's device, and each tree's context.

Slot 0 holds the roots; the node expanded in simulation s has slot s + 1. Boards [C, H, W] are stored in channels-last
format, in which convolutions are fastest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from muzero.model.protocol import RootOutput


class LatentPool:
    """Holds the latents of up to `simulations` nodes in each of `trees` trees; allocated once, reused by every search.

    A latent's index is slot * trees + tree.
    """

    def __init__(self, simulations: int, trees: int, roots: Tensor, context: tuple[Tensor, ...] = ()) -> None:
        self.simulations, self.trees = simulations, trees
        self.shape, self.kinds = roots.shape[1:], kinds(roots, *context)
        size = math.prod(self.shape)
        self.rows = torch.zeros(((simulations + 1) * trees, size), dtype=roots.dtype, device=roots.device)
        self.context = tuple(part.new_zeros((trees, *part.shape[1:])) for part in context)
        """[trees, ...] each, as in `RootOutput`"""

    def fits(self, simulations: int, trees: int, roots: Tensor, context: tuple[Tensor, ...] = ()) -> bool:
        """True if the pool can hold such a search."""
        same = self.kinds == kinds(roots, *context)
        return same and self.simulations >= simulations and self.trees == trees

    def begin(self, roots: RootOutput) -> None:
        """Store the roots' latents, and the contexts of their trees."""
        self.put(0, roots.latent)
        for held, part in zip(self.context, roots.context, strict=True):
            held[: len(part)].copy_(part)

    def context_of(self, trees: Tensor) -> list[Tensor]:
        """[M, ...] each, of trees int64 [M]."""
        return [part.index_select(0, trees) for part in self.context]

    def put(self, slot: int, latent: Tensor) -> None:
        """Store latent [M, *L] in `slot` for the first M trees."""
        start = slot * self.trees
        self.rows[start : start + len(latent)].copy_(flat(latent))

    def scatter(self, places: Tensor, latent: Tensor) -> None:
        """Store latent [M, *L] at indices int64 [M]."""
        self.rows.index_copy_(0, places, flat(latent))

    def gather(self, places: Tensor) -> Tensor:
        """Latents [M, *L] at indices int64 [M]."""
        found = self.rows.index_select(0, places)
        if len(self.shape) == 3:
            channels, height, width = self.shape
            return found.view(-1, height, width, channels).permute(0, 3, 1, 2)
        return found.view(-1, *self.shape)


def flat(latent: Tensor) -> Tensor:
    """[M, *L] -> [M, size], boards in channels-last order."""
    if latent.dim() == 4:
        latent = latent.permute(0, 2, 3, 1)
    return latent.reshape(len(latent), -1)


def kinds(*parts: Tensor) -> list[tuple[torch.Size, torch.dtype, torch.device]]:
    """Of the rows of tensors [M, ...] each: shape, number format and device."""
    return [(part.shape[1:], part.dtype, part.device) for part in parts]
