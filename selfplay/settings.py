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
    """Games that each actor plays in lockstep: the batch of the search. 0 = the fewest that are about as fast as any
    number, measured on this machine when a run begins; fixed where train.actors is 0."""
    simulations_share: Annotated[Schedule, Between(1e-6, 1.0)] = ((0.0, 1.0),)
    """Share of `search.simulations` spent on a move, over the training progress: few early, many late."""
    temperature: Annotated[Schedule, Between(0.0, 1e3)] = ((0.0, 1.0),)
    """pUCT: moves are drawn in proportion to visits^(1/T); 0 plays the most visited. MuZero: 1 in board games; 1, 0.5,
    0.25 over the training in Atari. Gumbel needs none, its action is a draw already."""
    temperature_moves: SizeOr0 = 30
    """Moves of a game after which the temperature is 0 (AlphaZero and MuZero: 30)."""
    opening_fraction: Share = 0.0
    """Share of games that open with random moves."""
    opening_plies: SizeOr0 = 0
    """These games open with 0 to `opening_plies` uniformly random moves."""
    random_fraction: Share = 0.0
    """Share of later moves that are uniformly random. Value targets are cut at a random move."""
    max_moves: SizeOr0 = 512
    """A longer game is cut there; the last search value stands for the rest. 0 = chosen by how long random games are,
    before a run is made."""
    part_moves: SizeOr0 = 0
    """A game is handed to the learner in parts of this many moves, the last search value of a part standing for the
    rest; 0 = whole games only."""
    life_ends: bool = False
    """A lost life ends the game for the learner, though it goes on."""
    clip_rewards: bool = False
    """The learner sees only the sign of a reward. Reports and evaluations show the game's own rewards."""
    warmup_positions: CountOr0 = 0
    """Positions from uniformly random play before any search; they leave with the window. Learning from them begins
    at `replay.min_positions`."""
