"""Runtime check of activations, where bounds from the weights alone are too loose."""

from __future__ import annotations

import torch
from torch import Tensor

SIZES = {torch.bfloat16: (torch.int16, 0x7FFF), torch.float32: (torch.int32, 0x7FFF_FFFF)}
"""Number format -> whole numbers of the same width, and the mask that leaves out the sign. Without it, bits are in the
order of the numbers they stand for, infinity and NaN last, and compared many times as fast on a CPU."""


class Watch:
    """Remembers whether something was too large, without a look from the host."""

    def __init__(self, device: torch.device) -> None:
        self.over = torch.zeros((), dtype=torch.bool, device=device)
        self.used = False
        """Whether anything is looked at at all."""

    def look(self, x: Tensor, reach: Tensor) -> None:
        """x must not exceed `reach` [], which has its format."""
        bits, mask = SIZES[x.dtype]
        largest = (x.view(bits) & mask).amax()
        self.over.logical_or_(largest > reach.view(bits))

    def begin(self) -> None:
        """Forget what was seen."""
        if self.used:
            self.over.zero_()

    def mark(self, said: Tensor) -> Tensor:
        """`said`, or NaN if something was too large: no search takes that."""
        return said.masked_fill(self.over, torch.nan) if self.used else said
