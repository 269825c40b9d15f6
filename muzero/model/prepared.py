"""The fast form of a learned model, for inference: the same numbers up to rounding, in fewer and faster operations."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import GameBatch
from muzero.model import border, scalar
from muzero.model.learned import LearnedModel
from muzero.model.networks import fused, legality
from muzero.model.networks.kind import Encoder, Fast, Transition, fast_of
from muzero.model.networks.watch import Watch
from muzero.model.protocol import RootOutput, StepOutput


class PreparedModel:
    """Implements `muzero.model.protocol.Model` for search with the weights of a `LearnedModel`, which it only reads.

    Latents and convolutions are in `dtype`, outputs in float32. After the model's weights have changed, call
    `refresh`, which updates the fast form in place.
    """

    def __init__(self, model: LearnedModel, dtype: torch.dtype = torch.float32) -> None:
        self.model, self.dtype = model, dtype
        self.num_actions, self.players = model.num_actions, model.spec.players
        self.derived = fused.Derived(dtype)
        self.needs, self.reaches = border.needs(model), self.derived.hold(lambda: border.reaches(model))
        """The largest inputs that must be safe for the model's `border.rows`, and [R] those that are."""
        self.watch = Watch(model.device)
        self.twin: LearnedModel | None = None
        self.standard = copy.deepcopy(model.standard)
        self.prefix: Transition | None = None
        """None if each reward is predicted separately."""
        self._lay_out(model)
        self._check()

    def _lay_out(self, model: LearnedModel) -> None:
        laid_out = fast_of(model, self.derived, self._entries)
        if laid_out is None:
            self.twin = copy.deepcopy(model).eval().requires_grad_(False).to(self.dtype)
            laid_out = Fast(self.twin.h, self.twin.g, self.twin.f)
            self.prefix = self.twin.prefix
        elif model.prefix is not None:
            self.prefix = fused.Prefix(self.derived, model.prefix)
        self.h, self.g, self.f = laid_out.h, laid_out.g, laid_out.f
        self.policy: Encoder = laid_out.policy or (lambda latent: laid_out.f(latent)[0])
        """Latents [M, *L], without a value prefix's state -> logits [M, A], as f gives them."""
        self.legality = self._legality_of(model)
        """Latents [M, *L] -> logits [M, A] of each action's probability of being legal; None without a legality head.
        """

    def _legality_of(self, model: LearnedModel) -> Encoder | None:
        own = model.legality if self.twin is None else self.twin.legality
        if own is None:
            return None
        head = legality.fast(self.derived, own) if self.twin is None else own
        return lambda latent: head(model.bare(latent))

    @property
    def device(self) -> torch.device:
        return self.model.device

    def refresh(self) -> None:
        """Pick up the model's current weights. Raises SearchError for those that can't be computed with."""
        if self.twin is not None:
            self.twin.load_state_dict(self.model.state_dict())
        self.derived.refresh()
        if self.standard is not None and self.model.standard is not None:
            self.standard.load_state_dict(self.model.standard.state_dict())
        self._check()

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """The observations themselves, [N, *O]."""
        del games, numbers
        return obs

    def _entries(self, network: str) -> fused.Entries:
        """The largest allowed inputs of the blocks of h or g."""
        later = [index for index, name in enumerate(self.needs) if name.startswith(f"{network}.")]
        return fused.Entries(self.watch, [self.reaches[index] for index in later])

    def _check(self) -> None:
        border.check_weights(self.model, self.needs, self.reaches)
        self.most = border.readable(self.model, self.reaches)
        """Largest entry of an observation."""

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        border.check_observations(self.model.spec.name, obs, self.most)
        self.watch.begin()
        latent = self.h(self.model.planes(obs, self.dtype, self.standard))
        logits, value = self.f(latent)
        return RootOutput(
            self.model.remembering(latent), logits.float(),
            self.watch.mark(scalar.decode(value, self.model.config.value)))

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latents [M, *L] after actions [M] in latents [M, *L], with the reward [M] and the signed discount [M]."""
        reached, output, mover = self.model.moved(self.g, self.prefix, latent, action)
        return reached, *self.model.outcome(latent, reached, output, mover)

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        model = self.model
        reached, reward, discount = self.advance(latent, action)
        logits, value = self.f(model.bare(reached))
        return StepOutput(reached, reward, discount, logits.float(),
                          self.watch.mark(scalar.decode(value, model.config.value)))


def search_model(prepared: PreparedModel) -> PreparedModel:
    """For learned dynamics, the networks themselves. See `muzero.model.build.DynamicsModule`."""
    return prepared
