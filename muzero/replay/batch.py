"""A batch of positions with their targets: as arrays on the host, and as the tensors a loss reads.

Shape letters: B positions, K unroll steps, A actions, *O one observation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import FloatArray, MaskArray


@dataclass(frozen=True)
class Batch:
    """What one learning step reads. Step 0 is the root; step k follows k real actions."""

    obs: NDArray[Any]
    """[B, *O]"""
    action: NDArray[np.int64]
    """[B, K] real actions, random ones past the end"""
    reward: FloatArray
    """[B, K] reward of action k"""
    turn: NDArray[np.int64]
    """[B, K] after action k: 0 the end, 1 the same player moves, 2 the other player moves"""
    value: FloatArray
    """[B, K+1]"""
    policy: FloatArray
    """[B, K+1, A]"""
    legal: MaskArray
    """[B, K+1, A] all False past the end"""
    alive: MaskArray
    """[B, K+1] step k is a real position that was searched: mask of the policy"""
    inside: MaskArray
    """[B, K+1] step k is a real position, not past the end"""
    trained: MaskArray
    """[B, K+1] mask of the value: False only where nothing is known or absorbing ends aren't trained. The reward of
    action k is trained where this holds at k+1, and wherever the move was really made"""
    next_obs: NDArray[Any] | None
    """[B, K', *O] observation after each of the first K' actions, for reconstruction (K' = K) and consistency"""
    weight: FloatArray
    """[B] importance weight"""
    index: NDArray[np.int64]
    """[B] place in the replay, for priorities and reanalysis"""


@dataclass(frozen=True)
class Tensors:
    """What the loss reads of a `Batch`; shapes as there."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    turn: Tensor
    value: Tensor
    policy: Tensor
    alive: Tensor
    inside: Tensor
    trained: Tensor
    weight: Tensor
    next_obs: Tensor | None

    @staticmethod
    def of(batch: Batch) -> Tensors:
        """The batch's own arrays, on the CPU."""
        arrays = {field.name: getattr(batch, field.name) for field in fields(Tensors)}
        found: dict[str, Any] = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
        return Tensors(**{"next_obs": None, **found})

    def named(self) -> dict[str, Tensor]:
        """All there are, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    def pinned(self) -> Tensors:
        """Copies in memory that a GPU reads by itself."""
        return replace(self, **{name: tensor.pin_memory() for name, tensor in self.named().items()})

    def to(self, device: torch.device) -> Tensors:
        """On `device`; from pinned memory nothing waits for it."""
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self.named().items()})
