"""Settings of the planners that grow no tree: one-step improvement, random shooting, the cross-entropy method.

Each is a section of `search` and of `play`, by the planner's name. How many model calls a plan may take is
`search.simulations` for all planners, so that they compare fairly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from selfplay.bounds import Between

Horizon = Annotated[int, Between(1, 256)]
Replies = Annotated[int, Between(1, 1 << 10)]
Part = Annotated[float, Between(0.0, 1.0)]


@dataclass(frozen=True)
class OneStepSettings:
    """One-step policy improvement: pi(a) exp(clip((q(a) - v) / temperature)) for the likeliest actions."""

    temperature: Annotated[float, Between(1e-6, 1e6)] = 0.02
    """Advantage, in the game's units, by which a policy is multiplied by e (Muesli: the advantages' own spread; ROSMO:
    1)."""
    clip: Annotated[float, Between(0.0, 1e3)] = 1.0
    """Largest exponent, on both sides (Muesli: 1; ROSMO: none)."""


@dataclass(frozen=True)
class ShootingSettings:
    """Random shooting: the best first move of many sampled sequences."""

    horizon: Horizon = 4
    """Moves of a sequence, an opponent's among them, before the value stands for the rest of the game (PETS: 25)."""
    replies: Replies = 2
    """An opponent's replies that are tried at each of its moves, the likeliest first; it plays the one that is best for
    itself. Each is a model call. 1 = its likeliest move. Without an opponent nothing is tried or paid."""
    explore: Part = 0.25
    """Share of the sequences whose first move is drawn uniformly from the legal ones, not from the policy (1: uniform
    shooting, as in PETS)."""


@dataclass(frozen=True)
class CemSettings:
    """The cross-entropy method: sequences drawn again around the best ones."""

    horizon: Horizon = 4
    """Moves of a sequence, an opponent's among them, before the value stands for the rest of the game (PETS: 15)."""
    rounds: Annotated[int, Between(1, 64)] = 3
    """How often sequences are drawn (PETS: 5)."""
    replies: Replies = 2
    """As `shooting.replies`."""
    explore: Part = 0.25
    """Of the first round: as `shooting.explore`."""
    elites: Annotated[float, Between(1e-3, 1.0)] = 0.1
    """Share of a round's sequences that the next one is drawn around (PETS and iCEM: 0.1)."""
    inertia: Part = 0.1
    """Share of a distribution that stays as it was when the elites pull it (PETS and iCEM: 0.1)."""
