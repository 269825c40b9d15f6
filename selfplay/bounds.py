"""Bounds of settings, as annotations of their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Between:
    """Lowest and highest allowed value of a number, both inclusive; for a schedule, of each value.

    Written at the field of a settings class: `alpha: Annotated[float, Between(0.0, 2.0)] = 0.6`.
    """

    low: float
    high: float


Share = Annotated[float, Between(0.0, 1.0)]
Size = Annotated[int, Between(1, 1 << 20)]
SizeOr0 = Annotated[int, Between(0, 1 << 20)]
Count = Annotated[int, Between(1, 1 << 40)]
CountOr0 = Annotated[int, Between(0, 1 << 40)]
