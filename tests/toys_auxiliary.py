"""Toy auxiliary losses in a class each: how full the board is after the first imagined action, and half of what is
legal there and at the root."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import LearnerConfig, ModelConfig
from muzero.model.imagined import Imagined


class Fullness:
    """The mean entry of the next observation, told from the imagined latent."""

    name, absorbing = "fullness", False

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        return nn.Linear(latent_shape[0], 1)

    def weight(self, config: LearnerConfig) -> float:
        return 0.5

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        return 1

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        (latent,), (obs,) = imagined.latents(1), imagined.seen(1)
        told = network(latent.flatten(2).mean(2) if latent.dim() == 4 else latent)
        found: Tensor = (told[:, 0] - obs.float().flatten(1).mean(1)) ** 2
        return found[None]


class Half(Fullness):
    """Half of the legality of each action, told from the latents of the root and of each imagined position."""

    name = "half"

    def make(self, spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module | None:
        return nn.Linear(latent_shape[0], spec.num_actions)

    def later_obs(self, config: LearnerConfig, unroll: int) -> int:
        return 0

    def term(self, network: nn.Module, imagined: Imagined, config: LearnerConfig) -> Tensor:
        told = [network(latent.flatten(2).mean(2) if latent.dim() == 4 else latent) for latent in imagined.positions()]
        found: Tensor = F.binary_cross_entropy_with_logits(
            torch.stack(told, 1), 0.5 * imagined.played.legal.float(), reduction="none").sum(2).T
        return found
