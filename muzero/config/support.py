"""Numbers of a support: the value transform (Pohlen et al. 2018, eq. 2), and round scales.

The transform of tensors is in `muzero.model.scalar`.
"""

from __future__ import annotations

import math

EPSILON = 0.001
"""Slope of the value transform for large values."""


def squashed(x: float) -> float:
    """The value transform h(x) = sign(x)(sqrt(|x| + 1) - 1) + EPSILON x (Pohlen et al. 2018)."""
    return math.copysign(math.sqrt(abs(x) + 1.0) - 1.0, x) + EPSILON * x


def unsquashed(y: float) -> float:
    """The inverse of `squashed`."""
    root = math.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON))
    return math.copysign(((root - 1.0) / (2.0 * EPSILON)) ** 2 - 1.0, y)


def raised(number: float) -> float:
    """The next larger number of two digits, for a positive one."""
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{math.ceil(number / step - 1e-9) * step:.1e}")
