"""Muon: matrices move along their momentum made orthogonal, so that no few directions of a layer take all of a step.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the size of a step as in Liu et al. 2025,
"Muon is Scalable for LLM Training", equation 4: about as large as AdamW's, whose rate and decay serve both.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
STEP_RMS = 0.2
"""Root mean square of an update's entries, times the learning rate."""
TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """For parameters of two dimensions or more: kernels [O, I, H, W] count as matrices [O, I * H * W]."""

    found_inf: Tensor | None = None
    """[] 1 where a step must change nothing; nobody on the host looks at it."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float | Tensor = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dim() < 2:
                    raise ValueError(f"Muon is for matrices and kernels, got a parameter {list(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient. Those of one shape go through the same operations."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(as_matrix(parameter).shape, []).append(parameter)
            for parameters in alike.values():
                self._move(parameters, group["lr"], group["momentum"], group["weight_decay"])

    def _move(self, parameters: list[Tensor], rate: float | Tensor, momentum: float, decay: float) -> None:
        gradients = [as_matrix(p.grad) for p in parameters if p.grad is not None]
        kept = [self._momentum(parameter) for parameter in parameters]
        moved = torch._foreach_lerp([as_matrix(old) for old in kept], gradients, 1.0 - momentum)
        # Nesterov's look ahead: the new momentum, blended with the gradient once more.
        ahead = orthogonal(torch.stack(torch._foreach_lerp(gradients, moved, momentum)))
        size = STEP_RMS * max(ahead.shape[1:]) ** 0.5
        for parameter, old, new, update in zip(parameters, kept, moved, ahead.unbind(), strict=True):
            self._put(parameter, as_matrix(parameter) * (1.0 - rate * decay) - rate * size * update)
            self._put(old, new)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        found: Tensor = state["momentum"]
        return found

    def _put(self, target: Tensor, matrix: Tensor) -> None:
        """Write a matrix into the parameter or momentum it stands for."""
        place = target.movedim(1, -1)
        wanted = matrix.view(place.shape)
        place.copy_(wanted if self.found_inf is None else torch.where(self.found_inf > 0, place, wanted))


def as_matrix(tensor: Tensor) -> Tensor:
    """[O, I, ...] -> [O, ... * I], a view where channels lie last in memory; the order of columns doesn't matter."""
    return tensor.movedim(1, -1).flatten(1)


def orthogonal(matrices: Tensor) -> Tensor:
    """[N, rows, columns] -> about the nearest matrices whose singular values are all alike (0.7 to 1.2), by Newton's
    and Schulz's iteration."""
    a, b, c = QUINTIC
    x: Tensor = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + TINY)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if matrices.shape[1] > matrices.shape[2] else x

