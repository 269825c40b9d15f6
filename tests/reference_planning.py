"""Random shooting and the cross-entropy method in plain Python: one sequence at a time, over a table of states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from table_model import TableModel

from muzero.search.draws import uniforms
from muzero.search.rollouts import PLAUSIBLE
from muzero.search.sequences import NOTHING, STREAMS, Shape

Chances = NDArray[np.float64]


@dataclass(frozen=True)
class Sequence:
    """Moves, an opponent's among them, and what they bring the player to move at the root."""

    moves: list[int]
    value: float


@dataclass(frozen=True)
class Reference:
    """A planner of one position."""

    table: TableModel
    state: int
    seed: int
    shape: Shape
    explore: float
    elites: float = 1.0
    inertia: float = 1.0

    def sequences(self, legal: NDArray[np.bool_]) -> list[Sequence]:
        """All that are tried, in their order; each round but the first is drawn around the best so far."""
        tried: list[Sequence] = []
        planned: Chances | None = None
        for turn in range(self.shape.rounds):
            found = list(self.round(turn, self.start(legal) if planned is None else planned[0], planned))
            tried += found
            old = self.frequencies(found) if planned is None else planned
            best = sorted(tried, key=lambda one: -one.value)[: max(1, round(self.elites * self.shape.sequences))]
            planned = self.inertia * old + (1 - self.inertia) * self.frequencies(best)
        return tried

    def start(self, legal: NDArray[np.bool_]) -> Chances:
        """First moves of the first round: the policy, and a share of all legal moves alike."""
        weights = np.where(legal, np.exp(self.table.logits[self.state].double().numpy()), 0.0)
        return (1 - self.explore) * weights / weights.sum() + self.explore * legal / legal.sum()

    def frequencies(self, found: list[Sequence]) -> Chances:
        """[H, A] how often each action was made at each move."""
        counts = np.zeros((self.shape.horizon, self.table.num_actions))
        for one in found:
            counts[np.arange(self.shape.horizon), one.moves] += 1 / len(found)
        return counts

    def round(self, turn: int, first: Chances, planned: Chances | None) -> Iterator[Sequence]:
        """Sequences whose first moves are dealt evenly."""
        shift, count = self.drawn(turn, 0, 1)[0], self.shape.sequences
        draws = np.stack([self.drawn(turn, move, count) for move in range(1, self.shape.horizon)] or [np.zeros(count)])
        for number in range(count):
            yield self.sequence(chosen(first, (number + shift) / count), draws[:, number], planned)

    def drawn(self, turn: int, move: int, count: int) -> Chances:
        return uniforms(np.array([self.seed], np.uint64), turn * STREAMS + move, count)[0]

    def sequence(self, first: int, draws: Chances, planned: Chances | None) -> Sequence:
        state, total, factor, moves = self.state, 0.0, 1.0, list[int]()
        for move in range(self.shape.horizon):
            if factor < 0:
                action = self.reply(state)
            elif move == 0:
                action = first
            else:
                action = self.own(state, draws[move - 1], None if planned is None else planned[move])
            moves.append(action)
            if factor != 0:
                total += factor * float(self.table.reward[state, action])
                factor *= float(self.table.discounts[state, action])
                state = int(self.table.following[state, action])
        return Sequence(moves, total + factor * float(self.table.value[state]))

    def plausible(self, state: int) -> tuple[Chances, NDArray[np.bool_]]:
        """The policy, and the actions that it takes seriously."""
        chances = torch.softmax(self.table.logits[state], 0).numpy()
        return chances.astype(np.float64), chances >= np.float32(PLAUSIBLE) * chances.max()

    def own(self, state: int, draw: float, planned: Chances | None) -> int:
        chances, serious = self.plausible(state)
        if planned is not None and (planned * serious).sum() > NOTHING:
            chances = planned
        return chosen(chances * serious, draw)

    def reply(self, state: int) -> int:
        """The opponent's best of its likeliest actions, one move ahead."""
        chances, serious = self.plausible(state)
        tried = [action for action in np.argsort(-chances)[: self.shape.replies].tolist() if serious[action]]
        table = self.table
        return max(tried, key=lambda action: float(
            table.reward[state, action] + table.discounts[state, action] * table.value[table.following[state, action]]))


def chosen(weights: Chances, draw: float) -> int:
    """The action in whose part of all weights a number in (0, 1) falls."""
    return int(np.searchsorted(weights.cumsum(), draw * weights.sum(), side="right"))
