"""A toy network in one file whose latents are a row of tokens: that of `toys_network`, its numbers laid out anew."""

from __future__ import annotations

import math

from torch import Tensor
from toys_network import Encoder, Heads, Step, bounds, fast

from games.base import GameSpec
from muzero.config import ModelConfig
from muzero.model.networks.kind import Outputs, Parts

__all__ = ["TOKENS", "bounds", "build", "fast"]
TOKENS = 3


class TokenEncoder(Encoder):
    """h: observation [B, *O] -> latent [B, TOKENS, width]."""

    def forward(self, obs: Tensor) -> Tensor:
        return super().forward(obs).unflatten(1, (TOKENS, -1))


class TokenStep(Step):
    """g: latent [M, TOKENS, width], action [M] -> next latent, transition outputs [M, units]."""

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        reached, facts = super().forward(latent.flatten(1), action)
        return reached.view_as(latent), facts


class TokenHeads(Heads):
    """f: latent [B, TOKENS, width] -> policy logits [B, A], value [B, units]."""

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(latent.flatten(1))


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    numbers, actions = TOKENS * config.width, spec.num_actions
    h = TokenEncoder(math.prod(spec.observation_shape), numbers)
    g = TokenStep(actions, numbers, outputs.transition) if outputs.dynamics else None
    return Parts(h, g, TokenHeads(numbers, actions, outputs.values), (TOKENS, config.width))
