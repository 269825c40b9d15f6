"""Settings of search: one section for self-play, one for play and evaluation.

The bounds of the tree search's settings come from the C++ search (`cpp_mcts.limits`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, is_dataclass, replace
from typing import Annotated, Any, Literal, TypeVar

from muzero.config.kinds import PLANNERS, Algorithm
from muzero.errors import ConfigError
from selfplay.bounds import Between

Section = TypeVar("Section")


def with_planners(section: type[Section]) -> type[Section]:
    """Class decorator: adds a subsection for each planner that has its own settings, under the planner's name. Raises
    TypeError for a name that the section already has."""
    for name, kind in PLANNERS.items():
        if kind.settings is not None:
            if name in section.__annotations__ or hasattr(section, name):
                raise TypeError(f"PLANNERS: {name!r} is a setting of {section.__name__}; give the planner another name")
            section.__annotations__[name] = kind.settings
            setattr(section, name, field(default_factory=kind.settings))
    return section


@dataclass(frozen=True)
class LegalitySettings:
    """What any planner makes of a model's legality head."""

    least: Annotated[float, Between(0.0, 0.99)] = 0.0
    """Probability of being legal, by the legality head, below which an action isn't tried in an imagined position; 0 =
    the head isn't asked (by cem: 0.1)."""


@dataclass(frozen=True)
@with_planners
class SearchConfig:
    """One batched tree search. Each number has a row in the table in cpp_mcts/src, which holds its bounds."""

    simulations: int = 32
    """Simulations per search (MuZero: 800 in board games, 50 in Atari; Gumbel MuZero plays well with 2 to 16)."""
    algorithm: Algorithm = "gumbel"
    """gumbel: tree search of Gumbel MuZero (Danihelka et al. 2022). puct: that of MuZero (Schrittwieser et al. 2020).
    Without a tree: policy: the network's policy. one_step: improved by one step of the model (Muesli). shooting: random
    shooting. cem: the cross-entropy method."""
    scale: Literal["fixed", "minmax", "siblings"] = "fixed"
    """How Q is scaled to [0, 1]: by fixed bounds, by the extremes in the tree (MuZero), or by the extremes among the
    node's actions."""
    low: float = -1.0
    """scale = fixed: the Q that maps to 0."""
    high: float = 1.0
    """scale = fixed: the Q that maps to 1."""
    mirror: bool = True
    """scale = minmax: every Q extends the bounds on both sides, as a zero-sum game of two players needs."""
    epsilon: float = 1e-8
    """scale = minmax or siblings: least width of the bounds."""
    c_init: float = 1.25
    """pUCT: exploration weight, c1 of MuZero (1.25)."""
    c_base: float = 19652.0
    """pUCT: number of visits at which that weight has grown by log 2, c2 of MuZero (19652)."""
    unvisited: Literal["worst", "parent", "siblings"] = "parent"
    """pUCT: Q of an unvisited action: the worst on the scale (0), the parent's value, or the mean of the visited
    actions (MuZero: worst)."""
    dirichlet_alpha: float = 0.3
    """pUCT: concentration of the noise at the root (AlphaZero: 0.3 in chess, 0.15 in shogi, 0.03 in Go; MuZero in
    Atari: 0.25)."""
    dirichlet_fraction: float = 0.0
    """pUCT: fraction of that noise in the root's prior, over legal actions (AlphaZero and MuZero in self-play: 0.25).
    """
    c_visit: float = 50.0
    """Gumbel: sigma(q) = (c_visit + max visits) c_scale q, the weight of Q against the logits (Danihelka et al.: 50).
    """
    c_scale: float = 1.0
    """Gumbel: factor in sigma (Danihelka et al.: 1.0 in Go, 0.1 in Atari)."""
    max_considered: int = 16
    """Gumbel: most actions considered at the root (Danihelka et al.: 16)."""
    max_depth: int = 0
    """Most moves that the search looks ahead; a position that deep is visited again without going on. 0 = no limit.
    For models that are good to so many moves only (`muzero inspect AGENT --model`)."""
    gumbel_scale: float = 1.0
    """Gumbel: scale of the noise at the root; 0 makes the choice deterministic (evaluation)."""
    threads: int = 1
    """Threads of the tree search; results don't depend on it. 0 = chosen for this machine when training starts."""
    legality: LegalitySettings = field(default_factory=LegalitySettings)

    @property
    def noise(self) -> float:
        """How much randomness there is in the choice at the root; 0 = none."""
        setting = PLANNERS[self.algorithm].noise
        return float(getattr(self, setting)) if setting else 0.0

    def with_noise(self, noise: float) -> SearchConfig:
        """The same search with this much randomness at the root. Raises ConfigError for a planner without any."""
        if setting := PLANNERS[self.algorithm].noise:
            changed: dict[str, Any] = {setting: noise}
            return replace(self, **changed)
        if noise > 0.0:
            raise ConfigError(f"noise: expected 0, as the planner {self.algorithm} has none to set, got {noise:g}")
        return self

    def own(self, settings: type[Section]) -> Section:
        """A planner's own settings, by their class. Raises ConfigError if no planner has these."""
        for held in vars(self).values():
            if isinstance(held, settings):
                return held
        raise ConfigError(f"expected a planner in PLANNERS whose settings are {settings.__name__}, got none")

    @property
    def tree_settings(self) -> dict[str, float | str | bool]:
        """The settings of `cpp_mcts.Search`: all of these except `simulations`, which is one of its sizes, and the
        settings of other planners."""
        return {name: setting for name, setting in vars(self).items()
                if name != "simulations" and not is_dataclass(setting)}
