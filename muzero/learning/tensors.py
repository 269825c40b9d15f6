"""A batch as the tensors that a loss reads."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from muzero.replay.batch import Batch


@dataclass(frozen=True)
class Tensors:
    """What the loss reads of a `Batch`; shapes as there."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_mover: Tensor
    value: Tensor
    policy: Tensor
    policy_mask: Tensor
    in_game: Tensor
    value_mask: Tensor
    weight: Tensor
    later_obs: Tensor | None

    @staticmethod
    def of(batch: Batch) -> Tensors:
        """The batch's own arrays, on the CPU."""
        arrays = {field.name: getattr(batch, field.name) for field in fields(Tensors)}
        found: dict[str, Any] = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
        return Tensors(**{"later_obs": None, **found})

    def named(self) -> dict[str, Tensor]:
        """All there are, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    def pinned(self) -> Tensors:
        """Copies in memory that a GPU reads by itself."""
        return replace(self, **{name: tensor.pin_memory() for name, tensor in self.named().items()})

    def to(self, device: torch.device) -> Tensors:
        """On `device`; from pinned memory nothing waits for it."""
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self.named().items()})
