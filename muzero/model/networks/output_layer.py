"""Layers that state something, a policy, a value, a position: what moves hidden layers isn't for them."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
_MARK = "states_something"


def answer(layer: Layer, *, zero: bool = False) -> Layer:
    """The layer, known as one whose output no other layer reads. zero: what it states starts uniform."""
    setattr(layer, _MARK, True)
    if zero:
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer


def is_answer(layer: nn.Module) -> bool:
    """Whether `answer` made it."""
    return getattr(layer, _MARK, False)
