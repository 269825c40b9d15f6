"""Runtime checks of activations, where bounds from only the weights are too loose."""

from __future__ import annotations

import torch
from torch import Tensor

SIZES = {torch.bfloat16: (torch.int16, 0x7FFF), torch.float32: (torch.int32, 0x7FFF_FFFF)}
"""Number format -> integers of the same width, and the mask that removes the sign bit. As unsigned bits, numbers keep
their order, with infinity and NaN last, and a CPU compares them many times as fast."""


class Watch:
    """Remembers whether an activation was too large, without synchronising with the host."""

    def __init__(self, device: torch.device) -> None:
        self.over = torch.zeros((), dtype=torch.bool, device=device)
        self.used = False
        """Whether anything is checked."""

    def look(self, x: Tensor, reach: Tensor) -> None:
        """Check that x doesn't exceed `reach` [], of the same number format."""
        bits, mask = SIZES[x.dtype]
        largest = (x.view(bits) & mask).amax()
        self.over.logical_or_(largest > reach.view(bits))

    def begin(self) -> None:
        """Reset."""
        if self.used:
            self.over.zero_()

    def mark(self, said: Tensor) -> Tensor:
        """`said`, or NaN if something was too large: searches refuse NaN."""
        return said.masked_fill(self.over, torch.nan) if self.used else said
