"""Settings of the ensemble: value and reward heads whose disagreement says what the agent doesn't know yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from selfplay.bounds import Between


@dataclass(frozen=True)
class EnsembleConfig:
    """Bootstrapped heads with random prior functions (Osband et al. 2016 and 2018)."""

    members: Annotated[int, Between(0, 64)] = 0
    """Value heads, and as many reward heads; 0 = none (bootstrapped DQN with priors: 20)."""
    prior_scale: Annotated[float, Between(0.0, 1e3)] = 0.3
    """Factor of the fixed random network that is added to each head (a bootstrapped DQN in deep_sea, Osband et al.
    2018: 3)."""
    mask: Annotated[float, Between(1e-3, 1.0)] = 1.0
    """Share of the positions that each member is trained on (bsuite's bootstrapped DQN: 0.5)."""
    hidden: Annotated[int, Between(1, 1 << 12)] = 32
    """Units of the hidden layer of each head."""
    features: Annotated[int, Between(0, 1 << 12)] = 0
    """Fixed random features of the observation, which the heads read in place of the latent; 0 = the latent. Positions
    that look different are then different to the heads from the start, whatever h has made of them yet."""
    plays: bool = True
    """Each game of self-play is searched with the values and rewards of one member, from its first move to its last."""
