"""The Muon optimizer: orthogonalises the momentum of each matrix, so that no few directions dominate an update.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the step size follows Liu et al. 2025,
"Muon is Scalable for LLM Training", equation 4: about as large as AdamW's, so that both share rate and decay. PyTorch's
own Muon (2.9 and later) doesn't take convolution kernels and can't skip a step without synchronising with the device.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)
"""x -> a x + b x^3 + c x^5 moves singular values in (0, 1] towards 1."""
ROUNDS = 5
STEP_RMS = 0.2
"""Root mean square of an update's entries, in units of the learning rate."""
TINY = 1e-7
"""Avoids division by zero for a matrix of zeros."""


class Muon(torch.optim.Optimizer):
    """For parameters of two or more dimensions: kernels [O, I, H, W] count as matrices [O, I * H * W]."""

    found_inf: Tensor | None = None
    """[] 1 if a step must change nothing; never read on the host."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float | Tensor = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        """Raises ValueError for a parameter that isn't a matrix."""
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dim() < 2:
                    raise ValueError(f"Muon: expected matrices and kernels, got a parameter {list(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient. Parameters of the same shape are updated together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = as_matrix(parameter.grad)
                    alike.setdefault(gradient.shape, []).append((parameter, gradient))
            for members in alike.values():
                self._move(members, group["lr"], group["momentum"], group["weight_decay"])

    def _move(self, members: list[tuple[Tensor, Tensor]], rate: float | Tensor, momentum: float, decay: float) -> None:
        """Update parameters of the same shape, given as (parameter, gradient as a matrix)."""
        gradients = [gradient for _, gradient in members]
        kept = [self._momentum(parameter) for parameter, _ in members]
        moved = torch._foreach_lerp([as_matrix(old) for old in kept], gradients, 1.0 - momentum)
        # Nesterov momentum: the new momentum, blended with the gradient once more.
        ahead = orthogonal(torch.stack(torch._foreach_lerp(gradients, moved, momentum)))
        steps = ahead * (rate * (STEP_RMS * max(ahead.shape[1:]) ** 0.5))
        keep = 1.0 - rate * decay
        for (parameter, _), old, new, update in zip(members, kept, moved, steps.unbind(), strict=True):
            self._put(parameter, as_matrix(parameter) * keep - update)
            self._put(old, new)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        found: Tensor = state["momentum"]
        return found

    def _put(self, target: Tensor, matrix: Tensor) -> None:
        """Write a matrix into its parameter or momentum."""
        place = target.movedim(1, -1)
        new = matrix.view(place.shape)
        place.copy_(new if self.found_inf is None else torch.where(self.found_inf > 0, place, new))


def as_matrix(tensor: Tensor) -> Tensor:
    """[O, I, ...] -> [O, ... * I], a view for channels-last memory; the order of columns doesn't matter."""
    return tensor.movedim(1, -1).flatten(1)


def orthogonal(matrices: Tensor) -> Tensor:
    """[N, rows, columns] -> the same with singular values of 0.7 to 1.2, by Newton-Schulz iteration; values
    below about 0.002 of the matrix's norm stay smaller."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + TINY)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
