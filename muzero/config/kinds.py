"""Kinds of networks, dynamics and planners: what the rest of the program must know of each, without torch.

A network is one entry in `NETWORKS` and the module it names, a planner one in `PLANNERS`; `muzero.model.networks.kind`
and `muzero.search.planners` say what such a module holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal


@dataclass(frozen=True)
class NetworkKind:
    """A family of networks h, g, f."""

    module: str
    """that builds them"""
    spatial: bool = False
    """latents are boards [width, H, W], computed by convolutions: channels last in memory, and in self-play's bfloat16
    where `train.precision` allows"""
    pictures: bool = False
    """reads pictures, and nothing else: their pixels may be standardised and shifted, and nothing decodes a latent back
    to one"""
    blocks: tuple[str, ...] = ()
    """settings of `model` that count its residual blocks; those of g last. Stored weights are held against them before
    a model is built"""


@dataclass(frozen=True)
class DynamicsKind:
    """How a search moves from a position to the next."""

    module: str
    """that makes the model a search runs over"""
    learned: bool
    """g moves through latents, and is unrolled in the loss; else real positions are reached, each trained by itself"""


@dataclass(frozen=True)
class PlannerKind:
    """A way of choosing actions by a model."""

    module: str
    """that makes it"""
    noise: str = ""
    """setting of `search` that says how much chance there is in its choice; empty where there is none to set"""
    settings: type[Any] | None = None
    """its own, a frozen dataclass whose numbers have bounds: the section `search.NAME`, and `play.NAME`"""


NETWORKS: dict[str, NetworkKind] = {
    "mlp": NetworkKind("muzero.model.networks.mlp"),
    "resnet": NetworkKind("muzero.model.networks.boards", spatial=True,
                          blocks=("representation_blocks", "dynamics_blocks")),
    "pixels": NetworkKind("muzero.model.networks.pixels", spatial=True, pictures=True,
                          blocks=("representation_blocks", "picture_blocks", "dynamics_blocks")),
}
DYNAMICS: dict[str, DynamicsKind] = {
    "learned": DynamicsKind("muzero.model.prepared", learned=True),
    "rules": DynamicsKind("muzero.model.rules", learned=False),
}

PLANNERS: dict[str, PlannerKind] = {
    "gumbel": PlannerKind("muzero.search.tree_planner", noise="gumbel_scale"),
    "puct": PlannerKind("muzero.search.tree_planner", noise="dirichlet_fraction"),
}

if TYPE_CHECKING:
    Network = str
    Dynamics = str
    Algorithm = str
else:
    Network = Literal[tuple(NETWORKS)]
    Dynamics = Literal[tuple(DYNAMICS)]
    Algorithm = Literal[tuple(PLANNERS)]
