"""MuZero's model: representation h, dynamics g, prediction f, learned together (Schrittwieser et al. 2020, eq. 1)."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ConfigError, ModelConfig
from muzero.config.kinds import DYNAMICS, NETWORKS
from muzero.errors import SeamError
from muzero.model import auxiliary, border, scalar, transition
from muzero.model.networks import parts_check
from muzero.model.networks.ensemble import Ensemble
from muzero.model.networks.input_norm import Standardise
from muzero.model.networks.kind import Outputs, Transition, module_of
from muzero.model.networks.prefix import Packing, Prefix
from muzero.model.protocol import RootOutput, StepOutput

MOVERS = 3
"""Classes of the next mover: 0 the game ended, 1 the same player, 2 the other one."""


class LearnedModel(nn.Module):
    """h, g, f with heads as configured. `root` and `step` are the interface for search; the rest is for the loss.

    There is no g if the true rules are searched (model.dynamics = rules): only real positions are evaluated.
    gamma is the discount per move; values and rewards are in the game's own units.
    """

    def __init__(self, spec: GameSpec, config: ModelConfig, gamma: float) -> None:
        super().__init__()
        self.spec, self.config, self.gamma = spec, config, gamma
        self.num_actions = spec.num_actions
        self.kind = NETWORKS[config.network]
        self.imagines = DYNAMICS[config.dynamics].learned
        """Whether there is a g, which steps on from a position without the game."""
        if self.imagines and config.discount == "fixed" and spec.players == 2 and not spec.alternates:
            raise ConfigError(f"{spec.name}: a player may move twice in a row; set model.discount to learned")
        if config.transition == "likeliest" and self.imagines:
            transition.check(spec, config)
        self.reward_units = 0 if config.prefix else scalar.units(config.reward)
        """Output units of g for a reward."""
        moved = self.reward_units + (MOVERS if config.discount == "learned" else 0)
        self.standard = Standardise(spec.frame_shape, spec.observation_high) if config.standardise else None
        self._build(moved)

    def _build(self, moved: int) -> None:
        config = self.config
        outputs = Outputs(moved, scalar.units(config.value), self.imagines)
        parts = module_of(config.network).build(self.spec, config, outputs)
        parts_check.check_types(config.network, parts, outputs)
        parts_check.check_shapes(config.network, parts, self.spec, outputs)
        self.h, self.g, self.f = parts.h, parts.g, parts.f
        self.latent_shape = self.bare_shape = parts.latent_shape
        """Shape of one latent; with a value prefix, latent and LSTM state together. The bare shape is without it."""
        self.prefix: Prefix | None = None
        self.legality: nn.Module | None
        self.ensemble: Ensemble | None
        for attribute, network in auxiliary.networks(self.spec, parts.latent_shape, config).items():
            if hasattr(self, attribute) or attribute == "packing":
                raise SeamError(f"AUXILIARY_LOSSES: {attribute!r} is an attribute of every model; expected another "
                                "name")
            setattr(self, attribute, network)
        if config.prefix and self.imagines:
            self.prefix = Prefix(self.latent_shape, config.prefix_hidden, scalar.units(config.reward), config.prefix,
                                 functools.partial(scalar.decode, config=config.reward))
            self.packing = Packing(self.latent_shape, self.prefix.size)
            self.latent_shape = self.packing.shape
        if self.spatial:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def spatial(self) -> bool:
        """Whether latents are boards [width, H, W]."""
        return self.kind.spatial

    def planes(self, obs: Tensor, dtype: torch.dtype, standard: Standardise | None = None) -> Tensor:
        """obs [B, *O] of the game's dtype as input of h, in `dtype`. standard: used instead of the model's own."""
        standard = standard or self.standard
        if standard is not None:
            planes: Tensor = standard(obs).to(dtype)
        else:
            planes = obs.to(dtype)
            if self.spec.observation_high != 1:
                planes = planes * (1.0 / self.spec.observation_high)
        return planes.contiguous(memory_format=torch.channels_last) if self.spatial else planes

    def encode(self, obs: Tensor) -> Tensor:
        """obs [B, *O] of the game's dtype -> latent [B, *L]."""
        latent: Tensor = self.h(self.planes(obs, next(self.parameters()).dtype))
        return self.remembering(latent)

    def remembering(self, latent: Tensor) -> Tensor:
        """The output of h, with the empty LSTM state of a root."""
        if self.prefix is None:
            return latent
        return self.packing.pack(latent, latent.new_zeros((len(latent), self.prefix.size)))

    def bare(self, latent: Tensor) -> Tensor:
        """The latent [B, *L] without the value prefix's LSTM state, as h outputs it."""
        return latent if self.prefix is None else self.packing.latent(latent)

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """latent [M, *L], action [M] -> next latent, reward output [M, units], logits of the next mover [M, 3 or 0]."""
        return self.moved(self.g, self.prefix, latent, action)

    def moved(
        self, g: Transition | None, prefix: Transition | None, latent: Tensor, action: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`advance` with the model's own g and prefix, or with equivalent ones."""
        assert g is not None, "without dynamics nothing is imagined"
        reached, outputs = g(self.bare(latent), action)
        if prefix is None:
            return reached, outputs[:, : self.reward_units], outputs[:, self.reward_units :]
        total, memory = prefix(reached, self.packing.memory(latent))
        return self.packing.pack(reached, memory), total, outputs

    def reward(self, before: Tensor, after: Tensor, output: Tensor) -> Tensor:
        """Reward [M] of the move between two latents [M, *L], decoded from output [M, units]."""
        if self.prefix is None:
            return scalar.decode(output, self.config.reward)
        return self.prefix.paid(self.packing.memory(before), self.packing.memory(after))

    def outcome(self, before: Tensor, after: Tensor, output: Tensor, mover: Tensor) -> tuple[Tensor, Tensor]:
        """Reward [M] and signed discount [M] of the move between two latents, as `model.transition` reads the outputs
        of `advance`."""
        if self.config.transition == "expected":
            return self.reward(before, after, output), self.discount(mover)
        reward = transition.likeliest_reward(output, self.config.reward)
        return reward, self.discount(transition.likeliest_mover(mover)).masked_fill(reward != 0.0, 0.0)

    def predict(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """latent [B, *L] -> policy logits [B, A], value output [B, units]."""
        logits, value = self.f(self.bare(latent))
        return logits, value

    def discount(self, mover: Tensor) -> Tensor:
        """Signed discount [M] expected under logits of the next mover [M, 3 or 0]."""
        if mover.shape[1] == 0:
            sign = -1.0 if self.spec.players == 2 else 1.0
            return torch.full((mover.shape[0],), sign * self.gamma, device=mover.device)
        chances = torch.softmax(mover.float(), 1)
        if self.spec.players == 1:
            return self.gamma * (chances[:, 1] + chances[:, 2])
        return self.gamma * (chances[:, 1] - chances[:, 2])

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Evaluate roots, see `muzero.model.protocol.Model`. Raises SearchError for weights and observations that can't
        be computed with."""
        border.check_observations(self.spec.name, obs, border.readable(self, border.checked(self)))
        latent = self.encode(obs)
        logits, value = self.predict(latent)
        return RootOutput(latent, logits.float(), scalar.decode(value, self.config.value))

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """One step of the search, see `muzero.model.protocol.Model`."""
        reached, output, mover = self.advance(latent, action)
        logits, value = self.predict(reached)
        reward, discount = self.outcome(latent, reached, output, mover)
        return StepOutput(reached, reward, discount, logits.float(), scalar.decode(value, self.config.value))
