"""The interface of a network kind's module: `build`, `bounds` and `fast`; see `muzero.config.kinds.NETWORKS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ModelConfig
from muzero.config.kinds import NETWORKS
from muzero.errors import SeamError
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
    """Output sizes of the networks, besides the policy."""

    transition: int
    """for a transition: reward units, and classes of the next mover; 0 if a value prefix predicts the rewards and the
    game determines who moves"""
    values: int
    """units for a value"""
    dynamics: bool
    """whether there is a g"""


@dataclass(frozen=True)
class Parts:
    """The networks of one model; their weights are stored as `h.`, `g.` or `f.` followed by their own names."""

    h: nn.Module
    """called as an `Encoder`"""
    g: nn.Module | None
    """called as a `Transition`"""
    f: nn.Module
    """called as `Heads`"""
    latent_shape: tuple[int, ...]
    """*L of one latent"""


@dataclass(frozen=True)
class Fast:
    """The same functions in their fast form, for search."""

    h: Encoder
    g: Transition | None
    f: Heads
    policy: Encoder | None = None
    """f's policy logits [B, A] alone, the same numbers; None = no cheaper than both"""


class Built(Protocol):
    """The attributes of a built model used here."""

    spec: GameSpec
    config: ModelConfig
    h: nn.Module
    g: nn.Module | None
    f: nn.Module
    bare_shape: tuple[int, ...]


class NetworkModule(Protocol):
    """A network kind: a module with these functions. `tests/model/test_every_network.py` checks every entry.

    Latents must keep their scale however often g is applied: `latent_norm.NORMS` has the choices of
    `model.latent_norm`. `output_layer` marks the layers of policy, value and transition outputs, which Muon then leaves
    to AdamW. Settings of `model` that don't apply to a kind are ignored; those it can't support are refused in `build`.
    """

    def build(self, spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
        """New networks for a game, made in the order h, g, f. Raises ConfigError, with a remedy, for unsuitable games
        and unsupported settings."""

    def bounds(self, model: Built) -> dict[str, list[Row]]:
        """Bounds on the activations of h, f and g, by name; {} if unknown, in which case nothing is proven.

        Latents are assumed to be as large as `h.normalise` leaves them, which is one of `latent_norm.NORMS`: a kind
        that has bounds has that attribute.
        """

    def fast(self, model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
        """The networks in their fast form, with weights held by `derived`, which is refreshed when they change.

        entries: the largest allowed inputs of the blocks of h or g, by name. Returns None if a search should run a copy
        of the networks.
        """


FUNCTIONS = ("build", "bounds", "fast")
"""Of a `NetworkModule`."""


def module_of(network: str) -> NetworkModule:
    """The module of a network kind, by its name in `NETWORKS`. Raises SeamError if it lacks a function."""
    module = importlib.import_module(NETWORKS[network].module)
    if missing := [name for name in FUNCTIONS if not callable(getattr(module, name, None))]:
        raise SeamError(f"model.network {network}: expected a function {missing[0]} in its module {module.__name__}; "
                        "muzero.model.networks.kind.NetworkModule says what it gives")
    return cast(NetworkModule, module)


def bounds_of(model: Built) -> dict[str, list[Row]]:
    """The `bounds` of a model's kind. Raises SeamError if they are anything else than rows."""
    network = model.config.network
    found = module_of(network).bounds(model)
    if not isinstance(found, dict) or not found.keys() <= {"h", "g", "f"}:
        raise SeamError(f"model.network {network}: bounds: expected a dictionary of rows for h, f and g, got {found!r}")
    if not all(rows and all(isinstance(row, Row) for row in rows) for rows in found.values()):
        raise SeamError(f"model.network {network}: bounds: expected a list of rows for each, got {found!r}")
    if found and not hasattr(model.h, "normalise"):
        raise SeamError(f"model.network {network}: bounds: expected h to have the attribute normalise, one of "
                        "latent_norm.NORMS, where there are any")
    return found


def fast_of(model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
    """The `fast` networks of a model's kind. Raises SeamError if it gives anything else."""
    found = module_of(model.config.network).fast(model, derived, entries)
    if not (found is None or isinstance(found, Fast)):
        raise SeamError(f"model.network {model.config.network}: fast: expected Fast or None, got {found!r}")
    return found
