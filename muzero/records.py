"""The values that flow between games, model, tree, replay and learner. Frozen; the shape stands beside each field.

Shape letters: B batch or trees, M leaves (M <= B), A actions, K unroll steps, T moves of a game,
F frames of one observation, *O one observation, *L one latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
MaskArray = NDArray[np.bool_]


@dataclass(frozen=True)
class RootOutput:
    """What a model says of a position."""

    latent: Tensor
    """[B, *L]"""
    logits: Tensor
    """[B, A]"""
    value: Tensor
    """[B] for the player to move"""


@dataclass(frozen=True)
class StepOutput:
    """What a model says of an action taken in a latent."""

    latent: Tensor
    """[M, *L] after the action"""
    reward: Tensor
    """[M] seen by the player who moved"""
    discount: Tensor
    """[M] signed: + the same player moves next, - the other one, 0 the end"""
    logits: Tensor
    """[M, A]"""
    value: Tensor
    """[M] for the player to move after the action"""


@dataclass(frozen=True)
class SearchResult:
    """What a search found at its roots."""

    visits: IntArray
    """[B, A]"""
    policy: FloatArray
    """[B, A] the improved policy: the training target"""
    q: FloatArray
    """[B, A] value of each action for the player to move"""
    value: FloatArray
    """[B] value of the root for the player to move"""
    action: IntArray
    """[B] the action the search would play"""


@dataclass(frozen=True)
class Findings:
    """What is kept of the searches of N positions."""

    policy: FloatArray
    """[N, A] all zero where nothing was searched"""
    root_value: FloatArray
    """[N] for the player to move; 0 where nothing was searched"""
    searched: MaskArray
    """[N]"""

    @staticmethod
    def of(result: SearchResult) -> Findings:
        return Findings(result.policy, result.value, np.ones(len(result.value), dtype=np.bool_))

    @staticmethod
    def nothing(legal: MaskArray) -> Findings:
        """Of positions that nobody searched; legal [N, A]."""
        count = len(legal)
        return Findings(np.zeros(legal.shape, dtype=np.float32), np.zeros(count, dtype=np.float32),
                        np.zeros(count, dtype=np.bool_))


@dataclass(frozen=True)
class Trajectory:
    """One whole game as one actor saw it, or a part of a long one."""

    obs: NDArray[Any]
    """[F - 1 + T, *frame] the frame before each move, after the F - 1 that came before the first; F, the frames of one
    observation, is 1 in most games: [T, *O]"""
    action: IntArray
    """[T]"""
    reward: FloatArray
    """[T] of the move, seen by the player who moved"""
    discount: FloatArray
    """[T] signed, after the move; 0 at the end"""
    legal: MaskArray
    """[T, A]"""
    policy: FloatArray
    """[T, A] from the search before the move; all zero where nothing was searched"""
    root_value: FloatArray
    """[T] from the search before the move"""
    exploratory: MaskArray
    """[T] True where the move was random, so that what followed says nothing of the position's worth"""
    searched: MaskArray
    """[T] True where policy and root_value are those of a search"""

    def __len__(self) -> int:
        return len(self.action)


@dataclass(frozen=True)
class Batch:
    """What one learning step reads. Step 0 is the root; step k follows k real actions."""

    obs: NDArray[Any]
    """[B, *O]"""
    action: NDArray[np.int64]
    """[B, K] real actions, random ones past the end"""
    reward: FloatArray
    """[B, K] reward of action k"""
    turn: NDArray[np.int64]
    """[B, K] after action k: 0 the end, 1 the same player moves, 2 the other player moves"""
    value: FloatArray
    """[B, K+1]"""
    policy: FloatArray
    """[B, K+1, A]"""
    legal: MaskArray
    """[B, K+1, A] all False past the end"""
    alive: MaskArray
    """[B, K+1] step k is a real position that was searched: mask of the policy"""
    inside: MaskArray
    """[B, K+1] step k is a real position, not past the end"""
    trained: MaskArray
    """[B, K+1] mask of the value: False only where nothing is known or absorbing ends aren't trained. The reward of
    action k is trained where this holds at k+1, and wherever the move was really made"""
    next_obs: NDArray[Any] | None
    """[B, K', *O] observation after each of the first K' actions, for reconstruction (K' = K) and consistency"""
    weight: FloatArray
    """[B] importance weight"""
    index: NDArray[np.int64]
    """[B] place in the replay, for priorities and reanalysis"""
