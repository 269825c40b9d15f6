"""What is kept of a search, and how much it differs from what the network had expected.

Surprise is KL(search policy || prior) in nats over the legal actions ("policy surprise weighting", methods of KataGo):
where it is large the network has most to learn. A search whose policy is not trained surprises nobody.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from muzero.records import Findings, FloatArray, MaskArray, SearchResult

MOST = 1e6
"""nats: no more is counted, so that sums stay finite whatever a network says."""


@njit(cache=True, nogil=True)
def fill_surprise(policy: FloatArray, logits: FloatArray, legal: MaskArray, out: FloatArray) -> None:
    """out [B] = KL(policy || softmax(logits)) over the legal actions; policy, logits, legal [B, A]."""
    for b in range(len(out)):
        top = -math.inf
        for a in range(policy.shape[1]):
            if legal[b, a] and logits[b, a] > top:
                top = logits[b, a]
        total = cross = 0.0
        for a in range(policy.shape[1]):
            if not legal[b, a]:
                continue
            above = logits[b, a] - top
            total += math.exp(above)
            share = policy[b, a]
            if share > 0.0:
                cross += share * (math.log(share) - above)
        # The policy sums to 1. Rounding can lead below 0, where no divergence is.
        out[b] = min(max(cross + math.log(total), 0.0), MOST)


def findings(result: SearchResult, legal: MaskArray, full: bool) -> Findings:
    """What is kept of a search of positions with legal [B, A]; if it wasn't `full`, no policy to train."""
    surprise = np.zeros(len(legal), dtype=np.float32)
    searched = np.ones(len(legal), dtype=np.bool_)
    if not full:
        return Findings(np.zeros_like(result.policy), result.value, searched, surprise)
    fill_surprise(result.policy, result.logits, legal, surprise)
    return Findings(result.policy, result.value, searched, surprise)


def nothing_found(legal: MaskArray) -> Findings:
    """What is kept of positions that nobody searched; legal [B, A]."""
    nothing = np.zeros(len(legal), dtype=np.float32)
    return Findings(np.zeros(legal.shape, dtype=np.float32), nothing, np.zeros(len(legal), dtype=np.bool_), nothing)
