"""The loss of an ensemble: every member learns what follows the moves played, from its own share of them.

Bootstrap masks and, if asked for, targets of a member's own: the best action by the member's own rewards and values.
Osband et al. 2016, "Deep Exploration via Bootstrapped DQN"; in two-player games the discount carries the sign, so that
the best action is the mover's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import LearnerConfig, ModelConfig, ScalarConfig
from muzero.model import scalar
from muzero.model.imagined import Imagined, Imagining
from muzero.model.networks.ensemble import Ensemble
from muzero.model.networks.random_features import RandomFeatures

MIX = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)
"""The multipliers of splitmix64, as signed integers."""
FINE = 24
"""Bits of a drawn share."""
ROWS = 1 << 12
"""Actions that are tried at once: all actions of all positions would take gigabytes in a game of thousands."""


class Bootstrapped:
    """What every member says of the actions played; see `muzero.model.auxiliary.AuxiliaryLoss`."""

    name, absorbing = "ensemble", True

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        own = config.ensemble
        if own.members == 0:
            return None
        features = RandomFeatures(spec.observation_shape, latent_shape, own.features) if own.features else None
        return Ensemble(latent_shape, spec.num_actions, config.value, config.reward, members=own.members,
                        hidden=own.hidden, prior_scale=own.prior_scale, features=features)

    def weight(self, config: LearnerConfig) -> float:
        return 1.0

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        return unroll if config.own_targets > 0 else 0

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        """[K, B]: the mean over members of the losses of a move's reward and of the value after it."""
        assert isinstance(network, Ensemble)
        played, settings = imagined.played, imagined.model.config
        moves = zip(readings(network, imagined), played.action.unbind(1), strict=True)
        value, reward = torch.stack([network.outputs(*move) for move in moves]).unbind(3)
        known = played.value_mask.T[1:, :, None]
        made = played.in_game.T[:-1, :, None] | known
        found = (missed(value, value_targets(network, imagined, config.own_targets), settings.value) * known
                 + missed(reward, played.reward.T.unsqueeze(2), settings.reward) * made)
        masks = bootstrap_masks(played.place.T[:-1], network.members, settings.ensemble.mask)
        return (found * masks).mean(2) + guessed(network.features, imagined)


def readings(network: Ensemble, imagined: Imagined) -> list[Tensor]:
    """K times [B, ...]: what members read of the positions before the moves, of which the first is real."""
    root, *later = imagined.positions()[:-1]
    return [read(network, imagined.model, root, imagined.played.obs), *map(network.reads, later)]


def read(network: Ensemble, model: Imagining, latent: Tensor, obs: Tensor) -> Tensor:
    """[B, ...]: what members read of real positions with latents [B, *L], seen as [B, *O]."""
    return latent if network.features is None else network.features.seen(model.planes(obs, torch.float32))


def guessed(features: RandomFeatures | None, imagined: Imagined) -> Tensor:
    """[K, B]: how far the features expected of imagined positions are from those of the real ones; without features 0.
    """
    inside = imagined.played.in_game.T[1:].float()
    if features is None:
        return torch.zeros_like(inside)
    seen = [imagined.model.planes(obs, torch.float32) for obs in imagined.seen(imagined.steps)]
    return torch.stack(list(map(features.missed, imagined.latents(imagined.steps), seen))) * inside


def missed(output: Tensor, target: Tensor, config: ScalarConfig) -> Tensor:
    """Half the squared error [K, B, N] of outputs, with a slope of at most 1, from targets [K, B, 1 or N] in the game's
    units."""
    return F.smooth_l1_loss(output.float(), scalar.stated(target, config).expand_as(output), reduction="none")


def bootstrap_masks(place: Tensor, members: int, share: float) -> Tensor:
    """bool [..., N]: which members learn from the positions at places [...] of the replay buffer.

    A function of the place and the member alone, so that a position keeps its members for as long as it is stored.
    """
    mixed = place[..., None] * members + torch.arange(members, device=place.device)
    for shift, factor in zip((30, 27), MIX, strict=True):
        mixed = (mixed ^ (mixed >> shift)) * factor
    bits = (mixed ^ (mixed >> 31)) & ((1 << FINE) - 1)
    return bits < share * (1 << FINE)


@torch.no_grad()
def value_targets(network: Ensemble, imagined: Imagined, share: float) -> Tensor:
    """[K, B, N] of the positions after each move: the target of the main head, mixed with this share of each member's
    own."""
    played = imagined.played
    given = played.value.T[1:].unsqueeze(2).expand(-1, -1, network.members)
    if share == 0.0:
        return given
    # From what was really seen: one step from an imagined latent would be further than g is trained for.
    reached = zip(imagined.seen(imagined.steps), played.legal[:, 1:].unbind(1), strict=True)
    own = torch.stack([best_values(network, imagined.model, obs, legal) for obs, legal in reached])
    inside = played.legal[:, 1:].any(2).T.unsqueeze(2)
    return torch.where(inside, (1.0 - share) * given + share * own, given)


def best_values(network: Ensemble, model: Imagining, obs: Tensor, legal: Tensor) -> Tensor:
    """[B, N]: each member's value of the best action among legal [B, A] in positions seen as [B, *O]."""
    latent, actions = model.encode(obs), legal.shape[1]
    discount = torch.cat([discounts(model, part, actions) for part in torch.split(latent, max(1, ROWS // actions))])
    said = network.every(read(network, model, model.bare(latent), obs))
    return (said.reward + discount[:, None] * said.value).masked_fill(~legal[:, None], -torch.inf).amax(2)


def discounts(model: Imagining, latent: Tensor, actions: int) -> Tensor:
    """[B, A] signed, after each of A = `actions` in latents [B, *L], as a search reads them."""
    before, every = latent.repeat_interleave(actions, 0), torch.arange(actions, device=latent.device)
    _, discount = model.outcome(before, *model.advance(before, every.repeat(len(latent))))
    return discount.view(-1, actions)
