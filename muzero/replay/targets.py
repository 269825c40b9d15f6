"""Training targets from stored games: n-step values, policies, absorbing states; loops compiled by numba.

A stored game is a run of places in a ring; `left[p]` is the number of its moves from place p on (at least 1).
Value target of a place: z = the discounted sum of rewards up to n moves ahead, for the place's player by the signed
discounts, plus the search value there (Schrittwieser et al. 2020, appendix G). The sum stops early at a move marked
exploratory and bootstraps from the search value of that position: what follows a random move says nothing about it.
If that position wasn't searched the sum goes on; a truncated game without a search at its end has an unknown value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, IntArray, MaskArray
from games.compiled import compiled

Places = NDArray[np.int64]


class Moves(NamedTuple):
    """The columns of the ring that targets are made from, each [capacity]."""

    left: IntArray
    """moves left in the game, this one included"""
    action: IntArray
    reward: FloatArray
    discount: FloatArray
    """signed; 0 where the game ended"""
    root_value: FloatArray
    """the search's value"""
    searched: MaskArray
    exploratory: MaskArray


class Targets(NamedTuple):
    """Targets of B positions and of the K steps after each."""

    action: NDArray[np.int64]
    """[B, K]"""
    reward: FloatArray
    """[B, K] reward of action k"""
    next_mover: NDArray[np.int64]
    """[B, K] after action k: 0 the end, 1 the same player moves, 2 the other player moves"""
    value: FloatArray
    """[B, K+1]"""
    place: Places
    """[B, K+1] ring place of step k; past the end, that of the last position"""
    in_game: MaskArray
    """[B, K+1] False past the end"""
    value_mask: MaskArray
    """[B, K+1] whether the value is known. It isn't past the end of a truncated game (whose last discount isn't 0), nor
    before such an end if that wasn't searched"""

    @staticmethod
    def empty(action: NDArray[np.int64]) -> Targets:
        """Arrays to fill; `action` [B, K] holds random actions, which remain past the end."""
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
    # Unpack the tuples once: numba counts references at each access.
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
