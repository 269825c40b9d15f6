"""Wrapper of a search model: another model around it, with its game, its device and its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from games.base import GameBatch
from muzero.model.protocol import SearchModel


class Wrapper:
    """What a model around `network` has from it. What it answers itself, `root` and `step`, is the subclass's."""

    def __init__(self, network: SearchModel) -> None:
        self.network, self.num_actions = network, network.num_actions

    @property
    def players(self) -> int:
        return self.network.players

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def dtype(self) -> torch.dtype:
        return self.network.dtype

    def refresh(self) -> None:
        """See `SearchModel`."""
        self.network.refresh()

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """See `SearchModel`."""
        return self.network.view(games, obs, numbers)
