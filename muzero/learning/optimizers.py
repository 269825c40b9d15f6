"""What moves a model's weights: one optimizer, or two with a share of the parameters each; and what they remember."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from muzero.config import ConfigError, LearnerConfig
from muzero.learning.muon import Muon
from muzero.model.learned import LearnedModel
from muzero.model.networks.output_layer import is_output_layer

ADAMW = frozenset({"step", "exp_avg", "exp_avg_sq"})
"""What AdamW keeps of a parameter that was stepped: a count and, of the parameter's shape, two averages."""
MUON = frozenset({"momentum"})
SMALLEST = 16
"""Least side of a matrix that Muon moves. Another number would move others: stored runs could not go on."""


class Optimizers:
    """The optimizers of one model, stepped together."""

    def __init__(self, model: LearnedModel, config: LearnerConfig, on_device: bool) -> None:
        """on_device: the rate is a number on the model's device, and no step waits for the host.

        Raises ConfigError where Muon is asked for and no layer is large enough.
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
        """Move all parameters that have gradients."""
        for optimizer in self.all:
            optimizer.step()

    def set_rate(self, rate: float | Tensor) -> None:
        """Learning rate of the steps to come."""
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def skip_where(self, bad: Tensor) -> None:
        """Steps while bad [] is 1 shall change nothing. The tensor is read on its device at each step."""
        for optimizer in self.all:
            optimizer.found_inf = bad  # type: ignore[attr-defined]

    def tensors(self) -> dict[str, Tensor]:
        """What the optimizers remember, by `parameter/what`."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        return {f"{names[id(p)]}/{key}": value for optimizer in self.all for p, state in optimizer.state.items()
                for key, value in state.items()}

    def check(self, stored: dict[str, Tensor]) -> None:
        """Raises ValueError naming a stored tensor that doesn't fit."""
        left = set(stored)
        for name, parameter in self.model.named_parameters():
            wanted = MUON if isinstance(self._owners[id(parameter)], Muon) else ADAMW
            held = _held(stored, name)
            if held and held.keys() != wanted:
                raise ValueError(f"optimizer state of {name}: expected {', '.join(sorted(wanted))} for "
                                 f"learner.optimizer {self.choice}, got {', '.join(sorted(held))}")
            for key, value in held.items():
                _check_moment(f"{name}/{key}", value, torch.Size() if key == "step" else parameter.shape)
            left -= {f"{name}/{key}" for key in held}
        if left:
            raise ValueError(f"optimizer state of no parameter: {min(left)[:80]!r}")

    def restore(self, stored: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave and `check` found good."""
        for name, parameter in self.model.named_parameters():
            if held := _held(stored, name):
                state = {key: like(value, parameter) for key, value in held.items()}
                self._owners[id(parameter)].state[parameter] = state


def hidden_matrices(model: nn.Module) -> list[Tensor]:
    """Weights of the dense layers and convolutions that other layers read, at least SMALLEST x SMALLEST as matrices."""
    layers = [module for module in model.modules()
              if isinstance(module, nn.Linear | nn.Conv2d) and not is_output_layer(module)]
    return [layer.weight for layer in layers
            if min(len(layer.weight), layer.weight[0].numel()) >= SMALLEST]


def _inner(model: nn.Module) -> list[Tensor]:
    found = hidden_matrices(model)
    if not found:
        raise ConfigError(f"learner.optimizer muon is for layers of at least {SMALLEST} x {SMALLEST}, and this model "
                          "has none; raise model.width or choose adamw")
    return found


def parameter_groups(model: nn.Module, weight_decay: float, others: list[Tensor]) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases and norms don't. Those of `others` are left out."""
    left = {id(p) for p in others}
    matrices = [p for p in model.parameters() if p.dim() >= 2 and id(p) not in left]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _held(stored: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """What is stored of one parameter."""
    return {key: stored[f"{name}/{key}"] for key in ADAMW | MUON if f"{name}/{key}" in stored}


def _check_moment(name: str, value: Tensor, shape: torch.Size) -> None:
    if value.dtype != torch.float32 or value.shape != shape:
        raise ValueError(f"optimizer state {name}: expected float32 {list(shape)}, got {value.dtype} "
                         f"{list(value.shape)}")
    signed = name.endswith(("/exp_avg", "/momentum"))
    if not value.isfinite().all() or (not signed and bool((value < 0).any())):
        raise ValueError(f"optimizer state {name}: expected finite numbers, of a square or a count none below 0")


def like(stored: Tensor, parameter: Tensor) -> Tensor:
    """A copy on the parameter's device and in its order of memory, which a fused update takes for granted."""
    if stored.shape != parameter.shape:
        return stored.to(parameter.device, copy=True)
    return torch.empty_like(parameter, dtype=stored.dtype, requires_grad=False).copy_(stored)
