"""Bootstrapped search: each game is searched with the values and rewards of one member of an ensemble.

A member is followed from the first move of a game to its last, as in Osband et al. 2016: a plan that only pays after
many moves is carried through, which no noise added to single moves can do. The member's number travels with the latent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.model.networks.ensemble import Chosen, Ensemble
from muzero.model.networks.fused import Derived
from muzero.model.networks.prefix import Packing
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import RootOutput, StepOutput


class MemberModel:
    """Implements `muzero.model.protocol.SearchModel`: the networks of `inner`, of whose ensemble a game's member says
    reward and value of every action. The value of the root itself, which is no action's, is the main head's."""

    def __init__(self, inner: PreparedModel, ensemble: Ensemble) -> None:
        self.inner = inner
        self.num_actions, self.players, self.members = inner.num_actions, inner.players, ensemble.members
        self.derived = Derived(inner.dtype)
        self.heads = Chosen(ensemble, self.derived)
        self.packing = Packing(inner.model.latent_shape, 1)
        self.legality = None if inner.legality is None else self._legality
        """As that of `inner`."""

    @property
    def device(self) -> torch.device:
        return self.inner.device

    @property
    def dtype(self) -> torch.dtype:
        return self.inner.dtype

    def refresh(self) -> None:
        """See `SearchModel`."""
        self.inner.refresh()
        self.derived.refresh()

    def _legality(self, latent: Tensor) -> Tensor:
        assert self.inner.legality is not None
        return self.inner.legality(self.packing.latent(latent))

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Observations [N, F + 1] in a row each, followed by the member of the game's number [N]."""
        numbers = np.arange(len(obs)) if numbers is None else numbers
        member = (numbers % self.members)[:, None].astype(obs.dtype)
        return np.concatenate((self.inner.view(games, obs, numbers).reshape(len(obs), -1), member), 1)

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Evaluate what `view` gives, [B, F + 1]."""
        member = obs[:, -1].long()
        found = self.inner.root(obs[:, :-1].reshape(-1, *self.inner.model.spec.observation_shape), legal)
        return RootOutput(self.packing.pack(found.latent, member[:, None]), found.logits, found.value)

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """See `Model`; the member of each latent stays with it."""
        member, before = self.packing.memory(latent), self.packing.latent(latent)
        if self.inner.model.spatial:
            # Convolutions would copy a part of a larger tensor themselves, each anew.
            before = before.contiguous(memory_format=torch.channels_last)
        found = self.inner.step(before, action)
        said = self.heads(self.inner.model.bare(before), action, member[:, 0].long())
        return StepOutput(self.packing.pack(found.latent, member), said.reward, found.discount, found.logits,
                          self.inner.watch.mark(said.value))
