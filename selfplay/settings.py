"""Settings of self-play, and schedules over the training progress."""

from __future__ import annotations

from dataclasses import dataclass

Schedule = tuple[tuple[float, float], ...]
"""Steps over the training progress in [0, 1]: ((from, value), ...), first `from` is 0."""


def at(schedule: Schedule, progress: float) -> float:
    """The value of a piecewise-constant schedule at `progress` in [0, 1]."""
    value = schedule[0][1]
    for start, candidate in schedule:
        if progress >= start:
            value = candidate
    return value


@dataclass(frozen=True)
class SelfPlayConfig:
    """How games are played for training."""

    games: int = 256
    """Games in lockstep in each actor: the batch of the search. 0 = the fewest that are about as fast as any number,
    measured on this machine when a run begins; fixed where train.actors is 0."""
    simulations_share: Schedule = ((0.0, 1.0),)
    """Share of `search.simulations` spent on a move, over the training progress: few early, many late."""
    temperature: Schedule = ((0.0, 1.0),)
    """pUCT: moves are drawn in proportion to visits^(1/T); 0 plays the most visited. Gumbel draws by itself."""
    temperature_moves: int = 30
    """Moves of a game after which the temperature is 0."""
    opening_fraction: float = 0.0
    opening_plies: int = 0
    """This share of games opens with 0..opening_plies uniformly random moves."""
    random_fraction: float = 0.0
    """Share of later moves that are uniformly random. Value targets are cut at a random move."""
    max_moves: int = 512
    """A longer game is cut there; the last search value stands for the rest. 0 = by how long random games are, before a
    run is made."""
    part_moves: int = 0
    """A game is handed to the learner in parts of this many moves, the last search value of a part standing for the
    rest; 0 = whole."""
    life_ends: bool = False
    """A lost life ends the game for the learner, though it goes on."""
    clip_rewards: bool = False
    """The learner sees the sign of a reward alone. What is reported and evaluated are the game's own rewards."""
    warmup_positions: int = 0
    """Positions from uniformly random play before any search; they leave with the window. Learning from them begins
    at `replay.min_positions`."""
