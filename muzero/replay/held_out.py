"""Held-out games: a share of all games, chosen by a hash of their numbers, that no sample for training is drawn from.

All parts of a game have its number, so that they are held out together.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence

from games.base import GameSpec
from games.symmetry import Symmetries
from muzero.config import Config, ConfigError, ReplayConfig
from muzero.replay import buffer
from muzero.replay.buffer import Replay
from selfplay.trajectory import UNNUMBERED, Trajectory

LEAST_POSITIONS = 64
"""Held-out positions from which a model can be validated."""
HASH_BYTES = 8


def is_held_out(number: int, fraction: float) -> bool:
    """Whether the game of this number is among the `fraction` of all that are held out."""
    digest = hashlib.blake2b(number.to_bytes(HASH_BYTES, "little"), digest_size=HASH_BYTES).digest()
    return number != UNNUMBERED and int.from_bytes(digest, "little") < fraction * 2.0 ** (8 * HASH_BYTES)


def ring_of(spec: GameSpec, config: Config) -> ReplayConfig:
    """A ring for the held-out share of the replay buffer's positions."""
    least = LEAST_POSITIONS * spec.frames
    capacity = max(least, math.ceil(config.held_out.fraction * config.replay.capacity))
    return dataclasses.replace(config.replay, capacity=capacity, window_fraction=1.0, min_window=0, prioritized=False)


def bytes_reserved(spec: GameSpec, config: Config) -> int:
    """Memory of a run's replay buffer and of its held-out games. Raises ConfigError if it is too large, or if a
    measurement needs too much."""
    if config.held_out.fraction == 0:
        return buffer.bytes_reserved(spec, config.replay)
    ring = ring_of(spec, config)
    _check_measurement(spec, config, min(config.held_out.positions, ring.capacity))
    return buffer.bytes_reserved(spec, config.replay) + buffer.bytes_reserved(spec, ring)


def _check_measurement(spec: GameSpec, config: Config, positions: int) -> None:
    """Refuse more memory for the observations of one measurement than for the replay buffer."""
    depth = 2 * config.unroll
    megabytes = positions * (depth + 1) * spec.observation_bytes / 10**6
    if megabytes > config.replay.memory_limit_mb:
        raise ConfigError(
            f"held_out.positions {positions}, each followed for {depth} moves, needs {megabytes:.0f} MB, more than "
            f"replay.memory_limit_mb {config.replay.memory_limit_mb}; lower held_out.positions or raise the limit")


class HeldOut:
    """The newest positions of a run's held-out games."""

    def __init__(self, spec: GameSpec, config: Config, symmetries: Symmetries) -> None:
        self.fraction = config.held_out.fraction
        self.replay = Replay(spec, ring_of(spec, config), symmetries)

    def take(self, played: Sequence[Trajectory]) -> list[Trajectory]:
        """Store those of the games that are held out; returns the others."""
        others = []
        for game in played:
            if is_held_out(game.number, self.fraction):
                self.replay.add(game)
            else:
                others.append(game)
        return others

    @property
    def lacking(self) -> int:
        """Positions that must still come before a model can be validated; 0 once it can."""
        return max(0, LEAST_POSITIONS - self.replay.added)
