"""The optimizers of a model (AdamW, or Muon for hidden matrices and AdamW for the rest) and their stored state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from muzero.config import ConfigError, LearnerConfig
from muzero.learning.muon import Muon
from muzero.model.learned import LearnedModel
from muzero.model.networks.output_layer import is_output_layer

ADAMW = frozenset({"step", "exp_avg", "exp_avg_sq"})
"""AdamW's state of a parameter that was updated: a count and two averages of the parameter's shape."""
MUON = frozenset({"momentum"})
SMALLEST = 16
"""Least side of a matrix that Muon updates. Changing it would make stored runs unusable, as it selects the matrices."""


class Optimizers:
    """The optimizers of one model, stepped together."""

    def __init__(self, model: LearnedModel, config: LearnerConfig, on_device: bool) -> None:
        """on_device: the rate is a tensor on the model's device, and no step waits for the host.

        Raises ConfigError if Muon is chosen and no layer is large enough.
        """
        self.model, self.choice = model, config.optimizer
        rate = torch.zeros((), device=model.device) if on_device else 0.0
        inner = _inner(model) if config.optimizer == "muon" else []
        adamw = torch.optim.AdamW(
            parameter_groups(model, config.weight_decay, inner), lr=rate, fused=True, capturable=on_device)
        self.all: list[torch.optim.Optimizer] = [adamw]
        if inner:
            self.all.append(Muon(inner, lr=rate, weight_decay=config.weight_decay))
        self._owners = {id(p): optimizer for optimizer in self.all for group in optimizer.param_groups
                        for p in group["params"]}

    def step(self) -> None:
        """Update all parameters that have gradients."""
        for optimizer in self.all:
            optimizer.step()

    def set_rate(self, rate: float | Tensor) -> None:
        """Set the learning rate of the next steps."""
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def skip_where(self, bad: Tensor) -> None:
        """Make steps change nothing while bad [] is 1. The tensor is read on its device at each step."""
        for optimizer in self.all:
            optimizer.found_inf = bad  # type: ignore[attr-defined]

    def tensors(self) -> dict[str, Tensor]:
        """State of the optimizers, by `parameter/entry`."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        return {f"{names[id(p)]}/{key}": value for optimizer in self.all for p, state in optimizer.state.items()
                for key, value in state.items()}

    def check(self, stored: dict[str, Tensor]) -> None:
        """Raises ValueError naming a stored tensor that doesn't fit."""
        left = set(stored)
        for name, parameter in self.model.named_parameters():
            entries = MUON if isinstance(self._owners[id(parameter)], Muon) else ADAMW
            held = _held(stored, name)
            if held and held.keys() != entries:
                raise ValueError(f"optimizer state of {name}: expected {', '.join(sorted(entries))} for "
                                 f"learner.optimizer {self.choice}, got {', '.join(sorted(held))}")
            for key, value in held.items():
                _check_moment(f"{name}/{key}", value, torch.Size() if key == "step" else parameter.shape)
            left -= {f"{name}/{key}" for key in held}
        if left:
            raise ValueError(f"optimizer state: expected entries of the model's parameters, got {min(left)[:80]!r}")

    def restore(self, stored: dict[str, Tensor]) -> None:
        """Restore the result of `tensors`, after `check`."""
        for name, parameter in self.model.named_parameters():
            if held := _held(stored, name):
                state = {key: like(value, parameter) for key, value in held.items()}
                self._owners[id(parameter)].state[parameter] = state


def hidden_matrices(model: nn.Module) -> list[Tensor]:
    """Weights of hidden dense layers and convolutions, at least SMALLEST x SMALLEST as matrices."""
    layers = [module for module in model.modules()
              if isinstance(module, nn.Linear | nn.Conv2d) and not is_output_layer(module)]
    return [layer.weight for layer in layers
            if min(len(layer.weight), layer.weight[0].numel()) >= SMALLEST]


def _inner(model: nn.Module) -> list[Tensor]:
    found = hidden_matrices(model)
    if not found:
        raise ConfigError(f"learner.optimizer muon: expected a hidden layer of at least {SMALLEST} x {SMALLEST}, got "
                          "none; raise model.width or choose adamw")
    return found


def parameter_groups(model: nn.Module, weight_decay: float, others: list[Tensor]) -> list[dict[str, Any]]:
    """Parameter groups: weight decay for matrices and kernels, none for biases and norms. Leaves out `others`."""
    left = {id(p) for p in others}
    matrices = [p for p in model.parameters() if p.dim() >= 2 and id(p) not in left]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _held(stored: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The stored state of one parameter."""
    return {key: stored[f"{name}/{key}"] for key in ADAMW | MUON if f"{name}/{key}" in stored}


def _check_moment(name: str, value: Tensor, shape: torch.Size) -> None:
    if value.dtype != torch.float32 or value.shape != shape:
        raise ValueError(f"optimizer state {name}: expected float32 {list(shape)}, got {value.dtype} "
                         f"{list(value.shape)}")
    signed = name.endswith(("/exp_avg", "/momentum"))
    if not value.isfinite().all() or (not signed and bool((value < 0).any())):
        raise ValueError(f"optimizer state {name}: expected finite numbers, and none below 0 in a square or a count")


def like(stored: Tensor, parameter: Tensor) -> Tensor:
    """A copy on the parameter's device and in its memory format, as a fused update requires."""
    if stored.shape != parameter.shape:
        return stored.to(parameter.device, copy=True)
    return torch.empty_like(parameter, dtype=stored.dtype, requires_grad=False).copy_(stored)
