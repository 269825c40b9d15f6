"""What the module of a network kind holds: `build`, `bounds` and `fast`; see `muzero.config.kinds.NETWORKS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ModelConfig
from muzero.config.kinds import NETWORKS
from muzero.model.networks.bounds import Row
from muzero.model.networks.fused import Derived, Entries

Encoder = Callable[[Tensor], Tensor]
"""h: planes [B, *O] -> latent [B, *L]."""
Transition = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""g: latent and action -> next latent and transition outputs; a value prefix: next latent and memory -> sum and
memory."""
Heads = Callable[[Tensor], tuple[Tensor, Tensor]]
"""f: latent [B, *L] -> policy logits [B, A], value outputs [B, units]."""


@dataclass(frozen=True)
class Outputs:
    """How many numbers the networks state besides the policy."""

    facts: int
    """of a transition: reward units, and classes of who moves next; 0 where a value prefix states the rewards and the
    game who moves"""
    values: int
    """units of a value"""
    dynamics: bool
    """whether there is a g"""


@dataclass(frozen=True)
class Parts:
    """The networks of one model; their weights are stored as `h.`, `g.` and `f.` and their own names."""

    h: nn.Module
    """called as `Encoder` says"""
    g: nn.Module | None
    """called as `Transition`"""
    f: nn.Module
    """called as `Heads`"""
    latent_shape: tuple[int, ...]
    """*L of one latent"""


@dataclass(frozen=True)
class Fast:
    """The same functions laid out for the search."""

    h: Encoder
    g: Transition | None
    f: Heads


class Built(Protocol):
    """What is looked at of a model built before."""

    spec: GameSpec
    config: ModelConfig
    h: nn.Module
    g: nn.Module | None
    f: nn.Module
    bare_shape: tuple[int, ...]


class NetworkModule(Protocol):
    """A kind of network: a module with these functions. `tests/model/test_every_network.py` holds each entry to it.

    Latents must stay of one size however often g is applied: `latent_norm.NORMS` has what `model.latent_norm` names.
    `output_layer` marks the layers of policy, value and facts, which Muon then leaves to AdamW. Settings of `model`
    that say nothing to a kind are passed over; those it can't do are refused in `build`.
    """

    def build(self, spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
        """New networks for a game, in the order h, g, f. Raises ConfigError, with the mend, for a game they can't read
        and for settings they can't do."""

    def bounds(self, model: Built) -> dict[str, list[Row]]:
        """How large numbers become in h, f and g, by name; {} where nothing is known, and nothing is proven then.

        Latents are taken to be as large as `h.normalise` leaves them, one of `latent_norm.NORMS`: a kind that has
        bounds has that attribute.
        """

    def fast(self, model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
        """The networks as a search runs them: weights derived by `derived`, which is refreshed when they change.

        entries: what may enter the blocks of h or g, by name. None: the search runs a copy of the networks.
        """


def module_of(network: str) -> NetworkModule:
    """The module of a kind of network by its name in `NETWORKS`."""
    return cast(NetworkModule, importlib.import_module(NETWORKS[network].module))
