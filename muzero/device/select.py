"""Selection of the device a run computes on."""

from __future__ import annotations

import torch

from muzero.errors import ConfigError


def device_of(choice: str) -> torch.device:
    """The device that `train.device` chooses: auto, cpu or cuda. Raises ConfigError for a missing GPU."""
    there = torch.cuda.is_available()
    if choice == "auto":
        return torch.device("cuda" if there else "cpu")
    if choice == "cuda" and not there:
        build = "PyTorch finds no GPU" if torch.version.cuda else "this PyTorch is a build without CUDA"
        raise ConfigError(f"train.device cuda: {build}; set it to auto or cpu, or run `muzero doctor`")
    return torch.device(choice)
