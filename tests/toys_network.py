"""A toy network in one file: linear h, g and f."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ModelConfig
from muzero.model.networks.bounds import Row
from muzero.model.networks.fused import Derived, Entries
from muzero.model.networks.kind import Built, Fast, Outputs, Parts


class Encoder(nn.Module):
    """h: observation [B, *O] -> latent [B, width]."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, width)

    def forward(self, obs: Tensor) -> Tensor:
        return torch.tanh(self.layer(obs.flatten(1)))


class Step(nn.Module):
    """g: latent [M, width], action [M] -> next latent, transition outputs [M, units]."""

    def __init__(self, actions: int, width: int, facts: int) -> None:
        super().__init__()
        self.actions, self.layer = actions, nn.Linear(width + actions, width)
        self.facts = nn.Linear(width, facts) if facts else None

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        joined = torch.cat((latent, F.one_hot(action, self.actions).to(latent.dtype)), 1)
        reached = torch.tanh(self.layer(joined))
        return reached, reached.new_zeros((len(reached), 0)) if self.facts is None else self.facts(reached)


class Heads(nn.Module):
    """f: latent [B, width] -> policy logits [B, A], value [B, units]."""

    def __init__(self, width: int, actions: int, units: int) -> None:
        super().__init__()
        self.policy, self.value = nn.Linear(width, actions), nn.Linear(width, units)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        return self.policy(latent), self.value(latent)


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    h = Encoder(math.prod(spec.observation_shape), config.width)
    g = Step(spec.num_actions, config.width, outputs.transition) if outputs.dynamics else None
    return Parts(h, g, Heads(config.width, spec.num_actions, outputs.values), (config.width,))


def bounds(model: Built) -> dict[str, list[Row]]:
    return {}


def fast(model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
    return None
