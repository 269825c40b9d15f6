"""Precision of self-play and learning: float32, or bfloat16 where it is fast enough to be worth its rounding."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""Processors that multiply bfloat16 in hardware, as Linux names their abilities."""


def for_search(wanted: str, convolutions: bool, device: torch.device) -> torch.dtype:
    """The number format of `train.precision`; auto: bfloat16 on CUDA and for convolutions on CPUs made for it."""
    return _format(wanted, device.type == "cuda" or (convolutions and _multiplies_bfloat16()))


def for_learning(wanted: str, pictures: bool, device: torch.device) -> torch.dtype:
    """Of the operations of `learner.precision`, weights being float32; auto: bfloat16 on CUDA and for pictures on CPUs
    made for it."""
    return _format(wanted, device.type == "cuda" or (pictures and _multiplies_bfloat16()))


def _format(wanted: str, fast: bool) -> torch.dtype:
    if wanted == "auto":
        return torch.bfloat16 if fast else torch.float32
    return torch.float32 if wanted == "float32" else torch.bfloat16


@functools.cache
def _multiplies_bfloat16() -> bool:
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return not words.isdisjoint(CPU_FLAGS)
