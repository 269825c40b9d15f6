"""Settings for a game nobody has tuned, from its facts alone: sizes, players, rewards, the shape of a position."""

from __future__ import annotations

import math
from typing import Literal

from games.base import GameSpec
from muzero.config import (
    Config,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    ScalarConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
)

OUTCOMES = ScalarConfig(low=-1.0, high=1.0, bins=3)
WIDE = ScalarConfig(low=-20.0, high=20.0, bins=41, transform=True)
"""Covers returns of about +-450 after the transform."""
MAX_MOVES = 300


def preset(spec: GameSpec) -> Config:
    """A config for any supported game."""
    plain = not spec.rewards_on_the_way and spec.max_return <= 1.0 and spec.min_return >= -1.0
    moves = min(spec.max_length, MAX_MOVES)
    return Config(
        game=spec.name,
        model=_model(spec, OUTCOMES if plain else WIDE),
        search=_search(spec, plain, gumbel_scale=1.0, simulations=16, threads=0),
        play=_search(spec, plain, gumbel_scale=0.0, simulations=50, threads=1),
        selfplay=SelfPlayConfig(games=0, max_moves=moves, opening_fraction=0.5, opening_plies=4,
                                random_fraction=0.02),
        replay=ReplayConfig(capacity=_capacity(spec), min_positions=2_000),
        learner=LearnerConfig(batch=((0.0, 128.0),), unroll=3, learning_rate=2e-3, replay_ratio=1.0,
                              gamma=0.997 if spec.rewards_on_the_way else 1.0,
                              td_steps=20 if spec.rewards_on_the_way else 1_000),
        train=TrainConfig(steps=4_000, horizon=4_000, actors=-1, evaluate_minutes=5.0),
    )


def _search(spec: GameSpec, plain: bool, gumbel_scale: float, simulations: int, threads: int) -> SearchConfig:
    return SearchConfig(algorithm="gumbel", simulations=simulations, scale="fixed" if plain else "minmax",
                        mirror=spec.players == 2, c_scale=1.0 if plain else 0.1, gumbel_scale=gumbel_scale,
                        threads=threads)


def _model(spec: GameSpec, scalar: ScalarConfig) -> ModelConfig:
    discount: Literal["fixed", "learned"] = "fixed" if spec.alternates or spec.players == 1 else "learned"
    shape = spec.observation_shape
    if len(shape) == 3 and min(shape[1:]) >= 4:
        return ModelConfig(network="resnet", width=32, hidden=64, latent_norm="rms", value=scalar, reward=scalar,
                           discount=discount)
    return ModelConfig(network="mlp", width=64, hidden=128, value=scalar, reward=scalar, discount=discount)


def position_bytes(spec: GameSpec) -> int:
    """An upper bound on the memory of one position of an unfinished game."""
    return 4 * math.prod(spec.observation_shape) + 5 * spec.num_actions + 32


def _capacity(spec: GameSpec) -> int:
    """Positions that fit in about 1 GB, at most 200,000."""
    return max(4_000, min(200_000, 2**30 // position_bytes(spec)))
