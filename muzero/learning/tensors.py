"""A batch as tensors, the input of the loss."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from muzero.replay.batch import Batch


@dataclass(frozen=True)
class Tensors:
    """The fields of a `Batch` that the loss reads, with the same shapes."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_mover: Tensor
    value: Tensor
    policy: Tensor
    legal: Tensor
    policy_mask: Tensor
    in_game: Tensor
    value_mask: Tensor
    weight: Tensor
    place: Tensor
    later_obs: Tensor | None

    @staticmethod
    def of(batch: Batch) -> Tensors:
        """The batch's arrays, shared, on the CPU."""
        arrays = {field.name: getattr(batch, field.name) for field in fields(Tensors)}
        found: dict[str, Any] = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
        return Tensors(**{"later_obs": None, **found})

    def named(self) -> dict[str, Tensor]:
        """All tensors present, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    def pinned(self) -> Tensors:
        """Copies in pinned memory, which a GPU reads directly."""
        return replace(self, **{name: tensor.pin_memory() for name, tensor in self.named().items()})

    def to(self, device: torch.device) -> Tensors:
        """Copies on `device`; from pinned memory, asynchronous."""
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self.named().items()})
