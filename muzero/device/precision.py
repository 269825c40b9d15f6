"""Number formats of self-play and learning: float32, or bfloat16 where it is fast enough to be worth its rounding."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""CPU flags on Linux of processors that multiply bfloat16 in hardware."""


def for_search(choice: str, convolutions: bool, device: torch.device) -> torch.dtype:
    """The number format that `train.precision` chooses; auto: bfloat16 on CUDA, and for convolutions on CPUs with
    bfloat16 hardware."""
    return _format(choice, device.type == "cuda" or (convolutions and _multiplies_bfloat16()))


def for_learning(choice: str, pictures: bool, device: torch.device) -> torch.dtype:
    """The number format that `learner.precision` chooses for operations (weights are float32); auto: bfloat16 on CUDA,
    and for pictures on CPUs with bfloat16 hardware."""
    return _format(choice, device.type == "cuda" or (pictures and _multiplies_bfloat16()))


def _format(choice: str, fast: bool) -> torch.dtype:
    if choice == "auto":
        return torch.bfloat16 if fast else torch.float32
    return torch.float32 if choice == "float32" else torch.bfloat16


@functools.cache
def _multiplies_bfloat16() -> bool:
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return not words.isdisjoint(CPU_FLAGS)
