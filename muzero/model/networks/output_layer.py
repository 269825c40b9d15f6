"""Marks output layers (policy, value, reward, reconstruction), so that Muon, which is for hidden layers, leaves them to
AdamW."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
_MARK = "is_output_layer"


def output_layer(layer: Layer, *, zero: bool = False) -> Layer:
    """Mark a layer whose output no other layer reads. zero: initialise it to zero, so that it predicts uniformly."""
    setattr(layer, _MARK, True)
    if zero:
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer


def is_output_layer(layer: nn.Module) -> bool:
    """Whether `output_layer` has marked the layer."""
    return getattr(layer, _MARK, False)
