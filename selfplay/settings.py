"""Settings of self-play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from selfplay.bounds import Between, CountOr0, Share, SizeOr0
from selfplay.schedule import Schedule


@dataclass(frozen=True)
class SelfPlayConfig:
    """How games are played for training."""

    games: SizeOr0 = 256
    """Games that each actor plays in lockstep: the batch size of the search. 0 = the smallest number at which self-play
    is about as fast as it gets, measured on this machine when a run begins; a constant if train.actors is 0."""
    simulations_share: Annotated[Schedule, Between(1e-6, 1.0)] = ((0.0, 1.0),)
    """Fraction of `search.simulations` spent on a move, over training progress: few early, many late."""
    temperature: Annotated[Schedule, Between(0.0, 1e3)] = ((0.0, 1.0),)
    """pUCT: moves are sampled in proportion to visits^(1/T); 0 plays the most visited. MuZero: 1 in board games; 1,
    0.5, 0.25 over training in Atari. Gumbel needs none: its action is a sample already."""
    temperature_moves: SizeOr0 = 30
    """Moves of a game after which the temperature is 0 (AlphaZero and MuZero: 30)."""
    opening_fraction: Share = 0.0
    """Fraction of games that open with random moves."""
    opening_plies: SizeOr0 = 0
    """These games open with 0 to `opening_plies` uniformly random moves."""
    random_fraction: Share = 0.0
    """Fraction of later moves that are uniformly random. Value targets are cut at a random move."""
    max_moves: SizeOr0 = 512
    """Longer games are truncated there, and the last search value is bootstrapped. 0 = chosen from the length of random
    games when a run is created."""
    part_moves: SizeOr0 = 0
    """Games are sent to the learner in parts of this many moves, each bootstrapped from its last search value;
    0 = whole games only."""
    life_ends: bool = False
    """To the learner, losing a life ends the game, although it goes on."""
    clip_rewards: bool = False
    """The learner sees only the sign of a reward. Reports and evaluations show the game's own rewards."""
    warmup_positions: CountOr0 = 0
    """Positions of uniformly random play before the first search; they stay until the window moves past them. Learning
    begins at `replay.min_positions`."""
