"""Counter-based random numbers: each is a function of a position's seed, a stream and a count, and of nothing else.

So a plan doesn't depend on which other positions are planned with it, nor on any generator's state. The mixing function
is that of splitmix64 (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
STREAM_BITS = 32
"""Numbers of one stream: 2^32."""


def uniforms(seeds: NDArray[np.uint64], stream: int, count: int) -> NDArray[np.float64]:
    """[N, count] numbers in (0, 1) for seeds [N]; other streams are independent."""
    counts = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream << STREAM_BITS)
    bits = _mixed(_mixed(seeds)[:, None] + counts * GOLDEN)
    # Never an end: a draw from a cumulative distribution would fall beside it.
    found: NDArray[np.float64] = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return found


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
