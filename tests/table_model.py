"""A model whose answers stand in tables: small games whose best moves are known, for tests of searches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.config import SearchConfig
from muzero.model.protocol import RootOutput, StepOutput
from muzero.search.tree_planner import TreePlanner


@dataclass
class TableModel:
    """`muzero.model.protocol.Model` over numbered states; an observation [B, 1] and a latent [B] are state numbers."""

    following: Tensor
    """int64 [states, A] state after an action"""
    reward: Tensor
    """[states, A]"""
    discounts: Tensor
    """[states, A] signed; 0 ends the game"""
    logits: Tensor
    """[states, A]"""
    value: Tensor
    """[states]"""
    asked: list[int] = field(default_factory=list)
    """M of every call of `step`"""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    players: int = 2

    @property
    def num_actions(self) -> int:
        return self.following.shape[1]

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        assert legal.dtype == torch.bool
        state = obs[:, 0].long()
        return RootOutput(state, self.logits[state], self.value[state])

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        self.asked.append(len(latent))
        after = self.following[latent, action]
        return StepOutput(
            after, self.reward[latent, action], self.discounts[latent, action], self.logits[after], self.value[after])


def uniform(following: list[list[int]], reward: list[list[float]], discounts: list[list[float]]) -> TableModel:
    """A table whose priors are uniform and whose values are 0: the search must find everything out."""
    states, actions = len(following), len(following[0])
    return TableModel(torch.tensor(following), torch.tensor(reward), torch.tensor(discounts),
                      torch.zeros(states, actions), torch.zeros(states))


def subtraction(pile: int) -> TableModel:
    """Take 1, 2 or 3 of `pile` counters in turn; who takes the last wins, who takes too many loses at once."""
    following, reward, discounts = [], [], []
    for left in range(pile + 1):
        after = [left - taken for taken in (1, 2, 3)]
        following.append([max(0, rest) for rest in after])
        reward.append([1.0 if rest == 0 else -1.0 if rest < 0 else 0.0 for rest in after])
        discounts.append([-1.0 if rest > 0 else 0.0 for rest in after])
    return uniform(following, reward, discounts)


def extra_turn() -> TableModel:
    """In state 0, action 0 gives another turn in state 1, where action 0 wins 1 for the same player and action 1
    loses 1; action 1 ends at once with 0.5; action 2 hands state 1 to the other player."""
    return uniform(
        [[1, 2, 1], [2, 2, 2], [2, 2, 2]], [[0.0, 0.5, 0.0], [1.0, -1.0, -1.0], [0.0, 0.0, 0.0]],
        [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def random_table(states: int, actions: int, seed: int) -> TableModel:
    """Random everything, ends among it."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

    discounts = rng.choice([0.0, 1.0, -1.0], (states, actions)).astype(np.float32)
    return TableModel(
        torch.from_numpy(rng.integers(0, states, (states, actions))), 0.3 * numbers(states, actions),
        torch.from_numpy(discounts), numbers(states, actions), torch.tanh(numbers(states)))


def states(*numbers: int) -> NDArray[np.int64]:
    """Observations [B, 1] of numbered states."""
    return np.array(numbers, np.int64)[:, None]


@dataclass
class Blank:
    """A model of any two-player game that knows nothing: uniform priors, all values 0, turns that alternate."""

    num_actions: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    players: int = 2

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        return obs

    def refresh(self) -> None:
        """Nothing to take over."""

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        return RootOutput(torch.zeros(len(obs), 1), torch.zeros(len(obs), self.num_actions), torch.zeros(len(obs)))

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        nothing = torch.zeros(len(latent))
        return StepOutput(latent, nothing, nothing - 1.0, torch.zeros(len(latent), self.num_actions), nothing)


def blank_planner(actions: int, batch: int, search: SearchConfig) -> TreePlanner:
    """A tree search over a model that knows nothing."""
    return TreePlanner(Blank(actions), search, batch)
