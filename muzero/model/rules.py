"""True rules in place of learned dynamics, as in AlphaZero's search (Silver et al. 2018).

An observation is the action history of a position, a latent the handle of a position that the search has reached;
a network evaluates each non-terminal position. Handles are on the host, wherever the network computes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch, GameError
from games.open_spiel import OpenSpielBatch
from games.rules import Positions, Reached
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import IMPOSSIBLE, RootOutput, SearchModel, StepOutput
from muzero.model.wrapper import Wrapper


class RulesModel(Wrapper):
    """Implements `muzero.model.protocol.Model` for search with true moves; `network.root` evaluates positions.

    One search at a time: new roots discard the positions of the previous search.
    """

    def __init__(self, network: SearchModel, positions: Positions, gamma: float) -> None:
        super().__init__(network)
        self.positions, self.gamma = positions, gamma

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """The histories of N games, int32 [N, T]. Raises GameError for a game whose rules can't be searched."""
        del obs, numbers
        if not isinstance(games, OpenSpielBatch):
            raise GameError(f"{games.spec.name}: not an OpenSpiel game, so its rules can't be searched")
        return games.histories()

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Evaluate the positions after histories int [B, T], which must have the legal moves bool [B, A].

        Raises GameError if one doesn't.
        """
        reached = self.positions.begin(obs.numpy())
        wrong = (legal.numpy() & ~reached.legal).any(1)
        if wrong.any():
            raise GameError(f"{self.positions.spec.name}: the history of row {int(wrong.argmax())} leads to a position "
                            "with other legal moves")
        logits, value = self._judged(reached)
        return RootOutput(torch.from_numpy(reached.handle)[:, None], logits, value)

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """Play actions [M] at handles int64 [M, 1]. Raises GameError for an illegal one."""
        reached = self.positions.move(latent[:, 0].numpy(), action.numpy())
        logits, value = self._judged(reached)
        return StepOutput(torch.from_numpy(reached.handle)[:, None], torch.from_numpy(reached.reward),
                          self.gamma * torch.from_numpy(reached.discount), logits, value)

    def _judged(self, reached: Reached) -> tuple[Tensor, Tensor]:
        """Logits [M, A] and value [M] of positions, 0 where the game is over."""
        size = len(reached.going)
        logits, value = torch.zeros(size, self.num_actions), torch.zeros(size)
        if len(reached.obs) > 0:
            device, legal = self.network.device, torch.from_numpy(reached.legal)
            output = self.network.root(torch.from_numpy(reached.obs).to(device), legal.to(device))
            rows = torch.from_numpy(np.flatnonzero(reached.going))
            logits.index_copy_(0, rows, output.logits.float().cpu().masked_fill(~legal, IMPOSSIBLE))
            value.index_copy_(0, rows, output.value.float().cpu())
        return logits, value


def search_model(prepared: PreparedModel) -> RulesModel:
    """See `muzero.model.build.DynamicsModule`."""
    model = prepared.model
    return RulesModel(prepared, Positions(model.spec.name), model.gamma)
