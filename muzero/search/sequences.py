"""Sequences of a model-predictive planner: how many there are, how their first moves are dealt, what came of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import IntArray, MaskArray
from muzero.model.protocol import Model, RootOutput
from muzero.search.draws import uniforms
from muzero.search.improvement import Numbers
from muzero.search.over_model import finite
from muzero.search.rollouts import Rollouts, drawn, plausible

STREAMS = 1 << 10
"""Of a round: more than a sequence has moves."""
NOTHING = 1e-6
"""A planned distribution with less than this on plausible actions says nothing about the position."""


@dataclass(frozen=True)
class Shape:
    """How many sequences of how many moves, how often."""

    rounds: int
    horizon: int
    sequences: int
    replies: int


def shape(rounds: int, horizon: int, replies: int, calls: int, least: int = 1) -> Shape:
    """The largest shape that `calls` model calls a position allow: of at most so many rounds and moves, with at least
    `least` sequences a round where that can be had with fewer of both."""
    options = [Shape(turns, moves, calls // turns // _cost(moves, replies), replies)
               for turns in range(rounds, 0, -1) for moves in range(horizon, 0, -1)]
    enough = [option for option in options if option.sequences >= least]
    return enough[0] if enough else Shape(1, 1, calls, replies)


def _cost(horizon: int, replies: int) -> int:
    """Most calls of a sequence: players may take turns or not, so the opponent may make each move but the first."""
    return 1 + (horizon - 1) * replies


def explored(policy: Numbers, legal: MaskArray, share: float) -> Numbers:
    """policy [N, A] mixed with `share` of a uniform choice among legal actions."""
    mixed: Numbers = (1.0 - share) * policy + share * legal / legal.sum(1, keepdims=True)
    return mixed


def dealt(policy: Numbers, seeds: NDArray[np.uint64], stream: int, count: int) -> IntArray:
    """First moves [N, count], as evenly in proportion to policy [N, A] as can be (systematic sampling)."""
    heights = policy.cumsum(1)
    marks = (np.arange(count) + uniforms(seeds, stream, 1)) / count * heights[:, -1:]
    found: IntArray = (heights[:, None, :] <= marks[:, :, None]).sum(2).astype(np.int32)
    return found


def rolled_out(
    model: Model, root: RootOutput, first: IntArray, seeds: NDArray[np.uint64], of: Shape, turn: int = 0,
    planned: Tensor | None = None,
) -> Rollouts:
    """The sequences that begin with first [N, P]; later own moves are drawn from the policy of each imagined position,
    or from planned [N, H, A] as far as it is plausible there."""
    rollouts = Rollouts(model, root, of.sequences, of.replies)
    device = root.latent.device
    rollouts.step(torch.as_tensor(first.reshape(-1), device=device).long())
    for move in range(1, of.horizon):
        chance = torch.as_tensor(uniforms(seeds, turn * STREAMS + move, of.sequences).reshape(-1), device=device)
        weights = torch.softmax(rollouts.logits, -1).double() * plausible(rollouts.logits)
        if planned is not None:
            asked = planned[:, move].repeat_interleave(of.sequences, 0) * plausible(rollouts.logits)
            weights = torch.where(asked.sum(1, keepdim=True) > NOTHING, asked, weights)
        rollouts.step(drawn(weights, chance))
    return rollouts


@dataclass(frozen=True)
class Found:
    """What came of P sequences from each of N positions."""

    moves: NDArray[np.int64]
    """[N, P, H] the opponent's among them"""
    returns: Numbers
    """[N, P]"""

    @staticmethod
    def of(rollouts: Rollouts) -> Found:
        """Raises SearchError for returns that are not finite."""
        returns = rollouts.returns.cpu().numpy()
        finite("rewards, discounts or values", returns)
        moves = torch.stack(rollouts.actions, 1).cpu().numpy().reshape(*returns.shape, -1)
        return Found(moves, returns)

    def joined(self, other: Found) -> Found:
        """Both together."""
        return Found(np.concatenate((self.moves, other.moves), 1), np.concatenate((self.returns, other.returns), 1))

    def best(self, count: int) -> Found:
        """The `count` sequences of the highest return."""
        order, rows = np.argsort(-self.returns, 1, kind="stable")[:, :count], np.arange(len(self.returns))[:, None]
        return Found(self.moves[rows, order], self.returns[rows, order])

    def by_first(self, actions: int) -> tuple[IntArray, Numbers]:
        """How often each of A = `actions` came first [N, A], and the best return [N, A] of what it began, 0 where that
        is nothing. The mean would count moves that nobody would go on with."""
        visits, best = np.zeros((len(self.moves), actions), np.int32), np.full((len(self.moves), actions), -np.inf)
        rows = np.arange(len(self.moves))[:, None]
        np.add.at(visits, (rows, self.moves[:, :, 0]), 1)
        np.maximum.at(best, (rows, self.moves[:, :, 0]), self.returns)
        return visits, np.where(visits > 0, best, 0.0)

    def lines(self, action: IntArray) -> list[list[int]]:
        """Of each row the best sequence that begins with action [N]; the action alone where none does."""
        begun = np.where(self.moves[:, :, 0] == action[:, None], self.returns, -np.inf)
        chosen = self.moves[np.arange(len(begun)), begun.argmax(1)].tolist()
        return [line if line[0] == move else [move] for line, move in zip(chosen, action.tolist(), strict=True)]
