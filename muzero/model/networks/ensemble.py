"""Bootstrapped heads with random prior functions: N small networks on the same latent, as one batched network.

Each says what follows an action: its reward, and the value after it. A member is a trained network plus `prior_scale`
times a random one that is never trained (Osband et al. 2018, "Randomized Prior Functions for Deep Reinforcement
Learning"). Where there are data the trained part makes up for the random one; elsewhere the members disagree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.config import ScalarConfig
from muzero.model import scalar
from muzero.model.networks.fused import Derived
from muzero.model.networks.random_features import RandomFeatures

NARROW = 1
"""Planes of a latent board that each member reads."""
OUTPUTS = 2
"""Of a member for an action: the value after it and its reward, both as `scalar.stated`."""


class Sayings(NamedTuple):
    """What members say, float32 in the game's units: [B, N], or [B, N, A] for every action."""

    value: Tensor
    """after the action, for the player who is to move then"""
    reward: Tensor


class Stack(nn.Module):
    """N networks with one hidden layer, over latents [B, *L]. Of a board, each first mixes the channels of every cell
    to `NARROW`."""

    def __init__(self, latent_shape: tuple[int, ...], actions: int, members: int, hidden: int, *, fixed: bool) -> None:
        """fixed: as a prior function: wider at the start, and not trained."""
        super().__init__()
        self.members, self.board = members, len(latent_shape) == 3
        inputs = math.prod(latent_shape)
        if self.board:
            inputs = NARROW * math.prod(latent_shape[1:])
            self._add("narrow", (latent_shape[0], members * NARROW), latent_shape[0], fixed)
        self._add("inner", (members, hidden, inputs), inputs, fixed)
        self._add("inner_bias", (members, hidden), inputs, fixed)
        self._add("outer", (actions, members, OUTPUTS, hidden), hidden, fixed)
        self._add("outer_bias", (actions, members, OUTPUTS), hidden, fixed)
        self.narrow: Tensor
        self.inner: Tensor
        self.inner_bias: Tensor
        self.outer: Tensor
        self.outer_bias: Tensor

    def _add(self, name: str, shape: tuple[int, ...], inputs: int, fixed: bool) -> None:
        if fixed:
            gain = 1.0 if name.startswith("outer") else 2.0
            self.register_buffer(name, torch.randn(shape) * math.sqrt(gain / inputs))
        else:
            self.register_parameter(name, nn.Parameter((2.0 * torch.rand(shape) - 1.0) / math.sqrt(inputs)))

    def features(self, latent: Tensor) -> Tensor:
        """[B, N, hidden]"""
        if self.board:
            cells = F.relu(latent.permute(0, 2, 3, 1).flatten(1, 2) @ self.narrow)
            seen = cells.view(*cells.shape[:2], self.members, NARROW).transpose(1, 2).flatten(2)
            inner = torch.einsum("bni,nhi->bnh", seen, self.inner)
        else:
            # One product of all rows, whose numbers don't depend on how many rows there are.
            inner = F.linear(latent.flatten(1), self.inner.flatten(0, 1)).view(-1, *self.inner.shape[:2])
        return F.relu(inner + self.inner_bias)

    def forward(self, latent: Tensor, action: Tensor) -> Tensor:
        """[B, N, OUTPUTS] for actions [B]."""
        return (self.features(latent).unsqueeze(2) * self.outer[action]).sum(3) + self.outer_bias[action]

    def every(self, latent: Tensor) -> Tensor:
        """[B, N, OUTPUTS, A] for every action."""
        return torch.einsum("bnh,anoh->bnoa", self.features(latent), self.outer) + self.outer_bias.permute(1, 2, 0)


class Ensemble(nn.Module):
    """What N members say of the actions in latents, which are without a value prefix's state, or in random features of
    positions (`reads`). They give these no gradient: what the other losses make of latents stays as it would be."""

    def __init__(
        self, latent_shape: tuple[int, ...], actions: int, value: ScalarConfig, reward: ScalarConfig, *, members: int,
        hidden: int, prior_scale: float, features: RandomFeatures | None = None,
    ) -> None:
        """value, reward: what the numbers mean; of a categorical kind, no member says more than its ends.

        features: what is read in place of latents.
        """
        super().__init__()
        self.members, self.scale, self.scalars = members, prior_scale, (value, reward)
        read = latent_shape if features is None else (features.size,)
        self.trained = Stack(read, actions, members, hidden, fixed=False)
        self.prior = Stack(read, actions, members, hidden, fixed=True)
        self.features = features

    def reads(self, latent: Tensor) -> Tensor:
        """What members read of imagined latents [B, *L]: these, or the features expected of them."""
        return latent if self.features is None else self.features.imagined(latent)

    def outputs(self, latent: Tensor, action: Tensor) -> Tensor:
        """[B, N, OUTPUTS] for actions [B] in latents [B, *L]: the value after it and its reward, for the loss."""
        latent = latent.detach()
        out: Tensor = self.trained(latent, action) + self.scale * self.prior(latent, action)
        return out

    def said(self, latent: Tensor, action: Tensor) -> Sayings:
        """Of actions [B] in latents [B, *L]."""
        return self.decoded(self.outputs(latent, action))

    def every(self, latent: Tensor) -> Sayings:
        """Of every action in latents [B, *L]."""
        return self.decoded(self.trained.every(latent) + self.scale * self.prior.every(latent))

    def decoded(self, outputs: Tensor) -> Sayings:
        """Outputs [B, N, OUTPUTS, ...] in the game's units."""
        return Sayings(*(in_units(told, config) for told, config in zip(outputs.unbind(2), self.scalars, strict=True)))


def in_units(output: Tensor, config: ScalarConfig) -> Tensor:
    """Numbers [...] as `scalar.stated` -> scalars [...] in the game's units, within the ends of a support."""
    output = output.float()
    return scalar.told(output.clamp(config.low, config.high) if config.kind == "categorical" else output, config)


class Chosen:
    """An ensemble in its fast form for search: trained networks and priors as one, and of the last layer only what the
    member of a row needs."""

    def __init__(self, ensemble: Ensemble, derived: Derived) -> None:
        """derived: holds the weights, and recomputes them when those of `ensemble` have changed."""
        trained, prior, scale = ensemble.trained, ensemble.prior, ensemble.scale
        self.members, self.board, self.decoded = ensemble.members, trained.board, ensemble.decoded
        if self.board:
            self.narrow = derived.hold(lambda: torch.cat((trained.narrow, prior.narrow), 1))
        self.inner = derived.hold(lambda: torch.cat((trained.inner, prior.inner)))
        self.inner_bias = derived.hold(lambda: torch.cat((trained.inner_bias, prior.inner_bias)))
        self.outer = derived.hold(
            lambda: torch.cat((trained.outer, scale * prior.outer), 3).flatten(0, 1), torch.float32)
        self.outer_bias = derived.hold(
            lambda: (trained.outer_bias + scale * prior.outer_bias).flatten(0, 1), torch.float32)

    def __call__(self, latent: Tensor, action: Tensor, member: Tensor) -> Sayings:
        """What members [B] say of actions [B] in latents [B, *L]: value [B], reward [B]."""
        row, networks = torch.arange(len(member), device=member.device), torch.stack((member, member + self.members), 1)
        inner, places = self._inner(latent, row[:, None], networks)
        features = inner.flatten(0, 1).index_select(0, places.flatten()).relu_().view(len(row), 1, -1)
        mine = action * self.members + member
        outputs = (features * self.outer.index_select(0, mine)).sum(2) + self.outer_bias.index_select(0, mine)
        return Sayings(*(told[:, 0] for told in self.decoded(outputs.unsqueeze(1))))

    def _inner(self, latent: Tensor, row: Tensor, networks: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden layers of all networks before their ReLU, [B, 2N, hidden] or [2N, B, hidden], and in which of the B 2N
        places [B, 2] those of row [B, 1] and networks [B, 2] are."""
        if not self.board:
            inner = F.linear(latent.flatten(1), self.inner.flatten(0, 1), self.inner_bias.flatten())
            return inner.view(-1, *self.inner.shape[:2]), row * 2 * self.members + networks
        cells = F.relu(latent.permute(0, 2, 3, 1).flatten(1, 2) @ self.narrow)
        seen = cells.view(*cells.shape[:2], -1, NARROW).permute(2, 0, 1, 3).flatten(2)
        inner = torch.baddbmm(self.inner_bias.unsqueeze(1), seen, self.inner.transpose(1, 2))
        return inner, networks * len(row) + row
