"""Bootstrapped search: each game is searched with the values and rewards of one member of an ensemble.

A member is followed from the first move of a game to its last, as in Osband et al. 2016: a plan that only pays after
many moves is carried through, which no noise added to single moves can do. The member is the context of a game's tree.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.model.networks.ensemble import Chosen, Ensemble
from muzero.model.networks.fused import Derived
from muzero.model.networks.prefix import Packing
from muzero.model.networks.random_features import RandomFeatures
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import RootOutput, StepOutput
from muzero.model.wrapper import Wrapper


class MemberModel(Wrapper):
    """The networks of `network`, of whose ensemble a game's member says reward and value of every action. The value of
    the root itself, which is no action's, is the main head's."""

    network: PreparedModel

    def __init__(self, network: PreparedModel, ensemble: Ensemble) -> None:
        super().__init__(network)
        self.members, self.legality, self.derived = ensemble.members, network.legality, Derived(network.dtype)
        self.heads = Chosen(ensemble, self.derived)

    def refresh(self) -> None:
        """See `SearchModel`."""
        super().refresh()
        self.derived.refresh()

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Observations [N, F + 1] in a row each, followed by the member of the game's number [N]."""
        numbers = np.arange(len(obs)) if numbers is None else numbers
        member = (numbers % self.members)[:, None].astype(obs.dtype)
        return np.concatenate((super().view(games, obs, numbers).reshape(len(obs), -1), member), 1)

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Evaluate what `view` gives, [B, F + 1]. The context is the member int64 [B]."""
        found = self.network.root(obs[:, :-1].reshape(-1, *self.network.model.spec.observation_shape), legal)
        return dataclasses.replace(found, context=(obs[:, -1].long(),))

    def step(self, latent: Tensor, action: Tensor, *context: Tensor) -> StepOutput:
        """See `Model`. The main head's value isn't asked for."""
        (member,) = context
        return self.judged(latent, self.network.model.bare(latent), action, member)

    def judged(self, latent: Tensor, read: Tensor, action: Tensor, member: Tensor) -> StepOutput:
        """Actions [M] taken in latents [M, *L], by members [M] who read [M, ...] of them."""
        network = self.network
        reached, _, discount = network.advance(latent, action)
        said = self.heads(read, action, member)
        logits = network.policy(network.model.bare(reached))
        return StepOutput(reached, said.reward, discount, logits.float(), network.watch.mark(said.value))


class FeatureMemberModel(MemberModel):
    """Of an ensemble that reads random features: those of the root's observation, and those expected of imagined
    latents. They travel with the latent."""

    def __init__(self, network: PreparedModel, ensemble: Ensemble, features: RandomFeatures) -> None:
        super().__init__(network, ensemble)
        self.features, self.packing = features, Packing(network.model.latent_shape, features.size)
        known = network.legality
        self.legality = None if known is None else lambda latent: known(self.latent(latent))

    def latent(self, packed: Tensor) -> Tensor:
        """Without the features, [M, *L]."""
        latent = self.packing.latent(packed)
        return latent.contiguous(memory_format=torch.channels_last) if self.network.model.spatial else latent

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """As `MemberModel.root`."""
        network, found = self.network, super().root(obs, legal)
        seen = obs[:, :-1].reshape(-1, *network.model.spec.observation_shape)
        planes = network.model.planes(seen, torch.float32, network.standard)
        return dataclasses.replace(found, latent=self.packing.pack(found.latent, self.features.seen(planes)))

    def step(self, latent: Tensor, action: Tensor, *context: Tensor) -> StepOutput:
        """As `MemberModel.step`."""
        (member,) = context
        found = self.judged(self.latent(latent), self.packing.memory(latent).to(self.dtype), action, member)
        expected = self.features.imagined(self.network.model.bare(found.latent).float())
        return dataclasses.replace(found, latent=self.packing.pack(found.latent, expected))


def member_model(network: PreparedModel, ensemble: Ensemble) -> MemberModel:
    """What searches with members, whatever these read."""
    if ensemble.features is None:
        return MemberModel(network, ensemble)
    return FeatureMemberModel(network, ensemble, ensemble.features)
