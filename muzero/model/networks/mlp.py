"""Fully connected h, g and f with one hidden layer each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ModelConfig
from muzero.model.networks.bounds import Row, norm_limit
from muzero.model.networks.fused import Derived, Entries
from muzero.model.networks.kind import Built, Fast, Outputs, Parts
from muzero.model.networks.latent_norm import NORMS
from muzero.model.networks.output_layer import output_layer


class Representation(nn.Module):
    """h: observation [B, *O] -> latent [B, width]."""

    def __init__(self, observation_shape: tuple[int, ...], width: int, hidden: int, norm: str) -> None:
        super().__init__()
        self.inner = nn.Linear(math.prod(observation_shape), hidden)
        self.outer = nn.Linear(hidden, width)
        self.normalise = NORMS[norm]

    def forward(self, obs: Tensor) -> Tensor:
        return self.normalise(self.outer(F.relu(self.inner(obs.flatten(1)))))


class Dynamics(nn.Module):
    """g: latent [M, width], action [M] -> next latent [M, width], transition outputs [M, units]."""

    def __init__(self, num_actions: int, width: int, hidden: int, facts: int, norm: str) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.action = nn.Embedding(num_actions, hidden)
        self.outer = nn.Linear(hidden, width)
        self.facts = output_layer(nn.Linear(hidden, facts)) if facts else None
        self.normalise = NORMS[norm]

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.inner(latent) + self.action(action))
        facts = hidden.new_zeros((len(hidden), 0)) if self.facts is None else self.facts(hidden)
        return self.normalise(self.outer(hidden)), facts


class Prediction(nn.Module):
    """f: latent [B, width] -> policy logits [B, A], value [B, units]."""

    def __init__(self, num_actions: int, width: int, hidden: int, value_units: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.policy = output_layer(nn.Linear(hidden, num_actions), zero=True)
        self.value = output_layer(nn.Linear(hidden, value_units), zero=True)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.inner(latent))
        return self.policy(hidden), self.value(hidden)


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    """See `kind.NetworkModule`."""
    shape, width, hidden, norm = spec.observation_shape, config.width, config.hidden, config.latent_norm
    h = Representation(shape, width, hidden, norm)
    g = Dynamics(spec.num_actions, width, hidden, outputs.transition, norm) if outputs.dynamics else None
    f = Prediction(spec.num_actions, width, hidden, outputs.values)
    return Parts(h, g, f, (width,))


def bounds(model: Built) -> dict[str, list[Row]]:
    """See `kind.NetworkModule`."""
    h, g, f, width = model.h, model.g, model.f, model.config.width
    assert isinstance(h, Representation)
    assert isinstance(f, Prediction)
    device, limit = h.inner.weight.device, norm_limit(h.normalise, width)
    inner = Row.of(width, device).layer(f.inner)
    found = {
        "h": [Row.of(h.inner.in_features, device).layer(h.inner).layer(h.outer).limit(limit)],
        "f": [inner.fork().layer(f.policy), inner.fork().layer(f.value), inner],
    }
    if g is not None:
        assert isinstance(g, Dynamics)
        row = Row.of(width, device).layer(g.inner, g.action.weight.abs().amax(0))
        facts = None if g.facts is None else row.fork().layer(g.facts)
        found["g"] = [row.layer(g.outer).limit(limit).no_further_than(facts)]
    return found


def fast(model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
    """See `kind.NetworkModule`: small layers gain nothing from a fast form."""
    del model, derived, entries
    return None
