"""Training targets from stored games: n-step values, policies, absorbing ends. Pure loops on arrays, compiled by numba.

A stored game is a run of places in a ring; `left[p]` is how many of its moves remain from place p on (at least 1).
Value target of a place: z = sum of rewards up to n moves ahead, each seen from the place's player through the signed
discounts, plus the search value found there (Schrittwieser et al. 2020, appendix G). The sum stops early at a move
marked exploratory and takes the search value of that position instead: what followed a random move says nothing of it.
Where no search was made the sum goes on; a game that was cut short and has none at its end has no known value.
"""

from __future__ import annotations

import numpy as np

from games.base import FloatArray, IntArray, MaskArray
from games.compiled import compiled


@compiled
def value_target(
    place: int, left: IntArray, reward: FloatArray, discount: FloatArray, root_value: FloatArray,
    searched: MaskArray, exploratory: MaskArray, td_steps: int, gamma: float,
) -> tuple[float, bool]:
    """z of one place of the ring, in the game's units, for the player to move there; False if it isn't known."""
    capacity = len(reward)
    total, factor = 0.0, 1.0
    steps = left[place]
    for ahead in range(steps):
        here = (place + ahead) % capacity
        if searched[here] and (ahead >= td_steps or exploratory[here]):
            return float(total + factor * root_value[here]), True
        total += factor * reward[here]
        factor *= gamma * discount[here]
    return total, bool(discount[(place + steps - 1) % capacity] == 0.0)


@compiled
def fill_targets(
    places: np.ndarray, left: IntArray, action: IntArray, reward: FloatArray, discount: FloatArray,
    root_value: FloatArray, searched: MaskArray, exploratory: MaskArray, td_steps: np.ndarray, gamma: float,
    out_action: np.ndarray, out_reward: FloatArray, out_turn: np.ndarray, out_value: FloatArray,
    out_place: np.ndarray, out_inside: MaskArray, out_trained: MaskArray,
) -> None:
    """Fill the targets of places int64 [B] for steps 0..K; td_steps int64 [B] is n of their value targets.

    out_action, out_reward, out_turn [B, K]; out_value, out_place, out_inside, out_trained [B, K+1]. out_place is the
    ring place of step k (of the last position past the end), out_inside is False past the end. out_trained is False
    where the value isn't known: past the end of a game that was cut short (its last discount is not 0), and before
    such an end that was never searched. out_action comes filled with random actions, which stay past the end.
    """
    capacity = len(reward)
    unroll = out_action.shape[1]
    for b in range(len(places)):
        start = places[b]
        steps = left[start]
        last = (start + steps - 1) % capacity
        ended = discount[last] == 0.0
        for k in range(unroll + 1):
            inside = k < steps
            here = (start + k) % capacity if inside else last
            out_place[b, k] = here
            out_inside[b, k] = inside
            out_trained[b, k] = ended
            out_value[b, k] = 0.0
            if inside:
                out_value[b, k], out_trained[b, k] = value_target(
                    here, left, reward, discount, root_value, searched, exploratory, td_steps[b], gamma)
            if k == unroll:
                continue
            out_reward[b, k] = 0.0
            out_turn[b, k] = 0
            if inside:
                out_action[b, k] = action[here]
                out_reward[b, k] = reward[here]
                out_turn[b, k] = 0 if discount[here] == 0.0 else (1 if discount[here] > 0.0 else 2)
