"""Training targets from stored games: n-step values, policies, absorbing ends. Pure loops on arrays, compiled by numba.

A stored game is a run of places in a ring; `left[p]` is how many of its moves remain from place p on (at least 1).
Value target of a place: z = sum of rewards up to n moves ahead, each seen from the place's player through the signed
discounts, plus the search value found there (Schrittwieser et al. 2020, appendix G). The sum stops early at a move
marked exploratory and takes the search value of that position instead: what followed a random move says nothing of it.
Where no search was made the sum goes on; a game that was cut short and has none at its end has no known value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, IntArray, MaskArray
from games.compiled import compiled

Places = NDArray[np.int64]


class Moves(NamedTuple):
    """The columns of a ring of stored moves that targets are made from, each [capacity]."""

    left: IntArray
    """moves of the game from this one on"""
    action: IntArray
    reward: FloatArray
    discount: FloatArray
    """signed; 0 where the game ended"""
    root_value: FloatArray
    """what the search found"""
    searched: MaskArray
    exploratory: MaskArray


class Targets(NamedTuple):
    """Targets of B positions and of the K steps after each of them."""

    action: NDArray[np.int64]
    """[B, K]"""
    reward: FloatArray
    """[B, K] reward of action k"""
    next_mover: NDArray[np.int64]
    """[B, K] after action k: 0 the end, 1 the same player moves, 2 the other player moves"""
    value: FloatArray
    """[B, K+1]"""
    place: Places
    """[B, K+1] ring place of step k; of the last position past the end"""
    in_game: MaskArray
    """[B, K+1] False past the end"""
    value_mask: MaskArray
    """[B, K+1] whether the value is known. It is not past the end of a game that was cut short (its last discount is
    not 0), and before such an end that was never searched"""

    @staticmethod
    def empty(action: NDArray[np.int64]) -> Targets:
        """To be filled; `action` [B, K] holds random actions, which stay past the end."""
        size, unroll = action.shape
        return Targets(
            action=action, reward=np.empty((size, unroll), dtype=np.float32),
            next_mover=np.empty((size, unroll), dtype=np.int64),
            value=np.empty((size, unroll + 1), dtype=np.float32),
            place=np.empty((size, unroll + 1), dtype=np.int64), in_game=np.empty((size, unroll + 1), dtype=np.bool_),
            value_mask=np.empty((size, unroll + 1), dtype=np.bool_))


@compiled
def value_target(place: int, moves: Moves, td_steps: int, gamma: float) -> tuple[float, bool]:
    """z of one place of the ring, in the game's units, for the player to move there; False if it isn't known."""
    reward, discount, root_value = moves.reward, moves.discount, moves.root_value
    searched, exploratory = moves.searched, moves.exploratory
    capacity, steps = len(reward), moves.left[place]
    total, factor = 0.0, 1.0
    for ahead in range(steps):
        here = (place + ahead) % capacity
        if searched[here] and (ahead >= td_steps or exploratory[here]):
            return float(total + factor * root_value[here]), True
        total += factor * reward[here]
        factor *= gamma * discount[here]
    return total, bool(discount[(place + steps - 1) % capacity] == 0.0)


@compiled
def fill_targets(places: Places, moves: Moves, td_steps: Places, gamma: float, targets: Targets) -> None:
    """Fill the targets of places [B] for steps 0..K; td_steps int64 [B] is n of their value targets."""
    # Taken out of the tuples once: numba counts references each time.
    left, discount = moves.left, moves.discount
    action, reward, next_mover, value = targets.action, targets.reward, targets.next_mover, targets.value
    place, in_game, value_mask = targets.place, targets.in_game, targets.value_mask
    capacity = len(discount)
    unroll = action.shape[1]
    for b in range(len(places)):
        start = places[b]
        steps = left[start]
        last = (start + steps - 1) % capacity
        ended = discount[last] == 0.0
        for k in range(unroll + 1):
            inside = k < steps
            here = (start + k) % capacity if inside else last
            place[b, k] = here
            in_game[b, k] = inside
            value_mask[b, k] = ended
            value[b, k] = 0.0
            if inside:
                value[b, k], value_mask[b, k] = value_target(here, moves, td_steps[b], gamma)
            if k == unroll:
                continue
            reward[b, k] = 0.0
            next_mover[b, k] = 0
            if inside:
                action[b, k] = moves.action[here]
                reward[b, k] = moves.reward[here]
                next_mover[b, k] = 0 if discount[here] == 0.0 else (1 if discount[here] > 0.0 else 2)
