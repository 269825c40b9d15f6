"""Kinds of networks, dynamics and planners: what the rest of the program must know about each, without torch.

A network kind is an entry in `NETWORKS` and the module it names, a planner one in `PLANNERS`;
`muzero.model.networks.kind` and `muzero.search.planners` define the interfaces of these modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from muzero.config.planner_settings import CemSettings, OneStepSettings, ShootingSettings

SIMULATIONS = "simulations"
"""What a tree search counts: each is one walk and at most one model call."""


@dataclass(frozen=True)
class NetworkKind:
    """A family of networks h, g, f."""

    module: str
    """module that builds them"""
    spatial: bool = False
    """latents are boards [width, H, W], computed by convolutions: in channels-last format, and in self-play in bfloat16
    if `train.precision` allows it"""
    pictures: bool = False
    """reads only pictures: these can be standardised and shifted, but not decoded from a latent"""
    blocks: tuple[str, ...] = ()
    """settings of `model` with its numbers of residual blocks, g's last. Stored weights are checked against them before
    a model is built"""


@dataclass(frozen=True)
class DynamicsKind:
    """How a search gets from one position to the next."""

    module: str
    """module that makes the model a search runs on"""
    learned: bool
    """g steps through latents, and is unrolled in the loss; otherwise a search visits real positions, each trained on
    separately"""


@dataclass(frozen=True)
class PlannerKind:
    """A way of choosing actions with a model."""

    module: str
    """module that makes it"""
    noise: str = ""
    """setting of `search` for the amount of randomness in its choice; empty if there is none"""
    draws: bool = False
    """whether the action at the root of a tree search is already sampled, so that no temperature applies"""
    counts: str = "model calls"
    """what `search.simulations` counts, in words; empty if it asks the model about the position alone"""
    invents: bool = False
    """whether it tries actions at imagined positions that the policy doesn't propose there, so that it must know what
    is legal: by a legality head, unless a game's actions are mostly legal"""
    settings: type[Any] | None = None
    """its own settings, a frozen dataclass with bounded numbers: the sections `search.NAME` and `play.NAME`"""


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
    "gumbel": PlannerKind("muzero.search.tree_planner", noise="gumbel_scale", draws=True, counts=SIMULATIONS),
    "puct": PlannerKind("muzero.search.tree_planner", noise="dirichlet_fraction", counts=SIMULATIONS),
    "policy": PlannerKind("muzero.search.policy", counts=""),
    "one_step": PlannerKind("muzero.search.one_step", settings=OneStepSettings),
    "shooting": PlannerKind("muzero.search.shooting", settings=ShootingSettings),
    "cem": PlannerKind("muzero.search.cem", invents=True, settings=CemSettings),
}

if TYPE_CHECKING:
    Network = str
    Dynamics = str
    Algorithm = str
else:
    Network = Literal[tuple(NETWORKS)]
    Dynamics = Literal[tuple(DYNAMICS)]
    Algorithm = Literal[tuple(PLANNERS)]
