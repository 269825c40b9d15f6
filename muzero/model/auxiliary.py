"""Auxiliary losses: further training signals for imagined latents. Their networks aren't used in play.

Each is a class and an entry in `AUXILIARY_LOSSES`: its network, its weight in the loss, what it needs from a batch, and
its term.
"""

from __future__ import annotations

import math
import numbers
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ConfigError, LearnerConfig, ModelConfig
from muzero.errors import SeamError
from muzero.model.bootstrap import Bootstrapped
from muzero.model.imagined import Imagined, observed
from muzero.model.networks.consistency import Consistency
from muzero.model.networks.decoder import Decoder
from muzero.model.networks.legality import legality_head


class AuxiliaryLoss(Protocol):
    """An auxiliary loss on the root and each imagined position, or on the first K' of the imagined ones."""

    name: str
    """name of its term: `loss/NAME` in the metrics; none of `TAKEN`"""
    absorbing: bool
    """whether its term counts past the end of a game too; it is then 0 wherever nothing is known"""

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        """Its network over latents [B, *latent_shape] of a game, made after h, g and f; None if the config doesn't have
        it. Raises ConfigError if it is impossible."""

    def weight(self, config: LearnerConfig) -> float:
        """Weight of its term in the loss, at least 0; 0: not computed."""

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        """How many later observations it needs with each position, at most `unroll`."""

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        """[K', B] with gradient, 1 <= K' <= K, for the first imagined positions, or [K+1, B] for the root too. Entries
        past the end of a game are ignored, unless it is `absorbing`."""


class Reconstruction:
    """Decodes every imagined latent to its observation, so that the latent must represent the position."""

    name, absorbing = "reconstruction", False

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        if not config.reconstruction:
            return None
        try:
            return Decoder(latent_shape, spec.observation_shape)
        except ValueError as error:
            raise ConfigError(f"model.network {config.network} can't decode observations ({error}): set "
                              "model.reconstruction to False and learner.reconstruction_weight to 0") from error

    def weight(self, config: LearnerConfig) -> float:
        return config.reconstruction_weight

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        return unroll if config.reconstruction_weight > 0 else 0

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        steps = imagined.steps
        output = torch.cat([network(latent) for latent in imagined.latents(steps)])
        return reconstruction_loss(output, torch.cat(imagined.seen(steps))).view(steps, -1)


class SelfConsistency:
    """Compares imagined latents with those of the real positions, which get no gradient (Ye et al. 2021, section 4.1).
    """

    name, absorbing = "consistency", False

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        return Consistency(latent_shape, config.consistency_width) if config.consistency else None

    def weight(self, config: LearnerConfig) -> float:
        return config.consistency_weight

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        return min(unroll, config.consistency_steps or unroll) if config.consistency_weight > 0 else 0

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        steps = min(imagined.steps, config.consistency_steps or imagined.steps)
        with torch.no_grad():
            encoded = torch.cat([imagined.model.bare(imagined.model.encode(obs)) for obs in imagined.seen(steps)])
        found: Tensor = network(torch.cat(imagined.latents(steps)), encoded)
        return found.view(steps, -1)


class Legality:
    """Says which actions are legal, at the root and at each imagined position.

    Past the end, where none is, it isn't trained: there it would have to tell ends, and where it mistakes a position
    for one it would hold every action for illegal.
    """

    name, absorbing = "legality", False

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        return legality_head(spec, latent_shape, config) if config.legality else None

    def weight(self, config: LearnerConfig) -> float:
        return config.legality_weight

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        return 0

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        legal = imagined.played.legal.transpose(0, 1)
        return legality_loss(network(torch.cat(imagined.positions())).view(legal.shape), legal)


AUXILIARY_LOSSES: dict[str, AuxiliaryLoss] = {
    "decoder": Reconstruction(), "consistency": SelfConsistency(), "legality": Legality(),
    "ensemble": Bootstrapped()}
"""By the model's attribute that holds the network, which is also the name of its stored weights; in order of creation.
"""
TAKEN = frozenset({"policy", "value", "reward", "turn", "total", "gradient_norm", "learning_rate"})
"""Names of the other losses, and of figures that are reported with them."""


def networks(spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> dict[str, nn.Module | None]:
    """The network of each loss by its attribute; see `AuxiliaryLoss.make`. Raises SeamError for anything else."""
    made = {attribute: loss.make(spec, latent_shape, config) for attribute, loss in AUXILIARY_LOSSES.items()}
    for attribute, network in made.items():
        if not (network is None or isinstance(network, nn.Module)):
            raise SeamError(f"{_of(attribute)}.make: expected a torch.nn.Module or None, got {network!r}")
    return made


def weights(config: LearnerConfig) -> dict[str, float]:
    """The weight of each loss by its name. Raises SeamError for a name in use and for an invalid weight."""
    found: dict[str, float] = {}
    for attribute, loss in AUXILIARY_LOSSES.items():
        name, weight = loss.name, loss.weight(config)
        if not isinstance(name, str) or not name or name in TAKEN or name in found:
            raise SeamError(f"{_of(attribute)}.name: expected one of its own, got {name!r} (taken are "
                            f"{', '.join(sorted(TAKEN | found.keys()))})")
        if not isinstance(weight, numbers.Real) or not 0.0 <= weight < math.inf:
            raise SeamError(f"{_of(attribute)}.weight: expected a finite number of at least 0, got {weight!r}")
        found[name] = weight
    return found


def trains(model: Any, name: str) -> bool:
    """Whether a model has the network of the loss with this name."""
    return any(loss.name == name and getattr(model, attribute) is not None
               for attribute, loss in AUXILIARY_LOSSES.items())


def later_obs(config: LearnerConfig, unroll: int) -> int:
    """How many later observations a batch needs with each position. Raises SeamError if a loss asks for more than
    `unroll`."""
    return max((_later_obs(attribute, config, unroll) for attribute in AUXILIARY_LOSSES), default=0)


def _later_obs(attribute: str, config: LearnerConfig, unroll: int) -> int:
    found = AUXILIARY_LOSSES[attribute].later_obs(config, unroll)
    if type(found) is not int or not 0 <= found <= unroll:
        raise SeamError(f"{_of(attribute)}.later_obs: expected a whole number from 0 to {unroll}, the moves that are "
                        f"unrolled, got {found!r}")
    return found


def auxiliary_terms(model: Any, imagined: Imagined, config: LearnerConfig) -> dict[str, Tensor]:
    """The term [K', B] or [K+1, B] of each loss with a weight, 0 where nothing is learned.

    Raises ValueError for a batch that lacks a needed observation, SeamError for an invalid term.
    """
    terms = {}
    given = observed(imagined.played)
    for attribute, loss in AUXILIARY_LOSSES.items():
        network = getattr(model, attribute)
        if network is None or loss.weight(config) == 0:
            continue
        needed = _later_obs(attribute, config, imagined.steps)
        if given < needed:
            raise ValueError(f"loss {loss.name}: expected {needed} later observations of each position, got {given}")
        term = loss.term(network, imagined, config)
        _check_term(attribute, term, imagined)
        terms[loss.name] = term if loss.absorbing else term * _inside(imagined, len(term))
    return terms


def _inside(imagined: Imagined, length: int) -> Tensor:
    """[length, B] which positions of a term are real: a term of K+1 begins at the root."""
    start = 0 if length > imagined.steps else 1
    return imagined.played.in_game.T[start : start + length]


def _check_term(attribute: str, term: object, imagined: Imagined) -> None:
    """A wrong shape would be broadcast, and a term without a gradient teach nothing, without a word."""
    most, batch = len(imagined.unrolled), len(imagined.played.in_game)
    wanted = f"{_of(attribute)}.term: expected a tensor [K', {batch}] with K' from 1 to {most}"
    if not isinstance(term, Tensor):
        raise SeamError(f"{wanted}, got {type(term).__name__}")
    if term.dim() != 2 or not 1 <= len(term) <= most or term.shape[1] != batch:
        raise SeamError(f"{wanted}, got {list(term.shape)}")
    if imagined.unrolled[-1].requires_grad and not term.requires_grad:
        raise SeamError(f"{wanted} and a gradient, got one of {term.dtype} without")


def _of(attribute: str) -> str:
    """The loss of an attribute, as it is found."""
    return f"AUXILIARY_LOSSES[{attribute!r}]"


def reconstruction_loss(output: Tensor, seen: Tensor) -> Tensor:
    """[B]: binary cross-entropy for whole-number observations, squared error for others; mean over entries."""
    target = seen.float()
    if seen.dtype == torch.uint8:
        entries = F.binary_cross_entropy_with_logits(output.float(), target.clamp(max=1.0), reduction="none")
    else:
        entries = (output.float() - target) ** 2
    return entries.flatten(1).mean(1)


def legality_loss(output: Tensor, legal: Tensor) -> Tensor:
    """[...]: binary cross-entropy of logits [..., A] for legal actions, bool [..., A]; mean over actions."""
    return F.binary_cross_entropy_with_logits(output.float(), legal.float(), reduction="none").mean(-1)
