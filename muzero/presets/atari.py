"""Presets for games seen as pictures with rewards on the way: Atari. They differ in settings alone."""

from __future__ import annotations

import dataclasses

from games.atari_protocol import PREFIX, WITHOUT_LIVES, load_facts
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


def small(spec: GameSpec) -> Config:
    """For two cores without a GPU: a small network, 100,000 moves, each drawn 16 times."""
    search = SearchConfig(algorithm="gumbel", simulations=16, scale="minmax", mirror=False, epsilon=0.01, c_scale=0.1)
    lives = spec.name.startswith(PREFIX) and load_facts(spec.name).protocol_name not in WITHOUT_LIVES
    return Config(
        game=spec.name,
        model=ModelConfig(network="pixels", width=32, hidden=64, representation_blocks=1, latent_norm="rms",
                          value=ScalarConfig(low=-10.0, high=10.0, bins=21, transform=True),
                          reward=ScalarConfig(low=-1.0, high=1.0, bins=3)),
        search=search,
        play=dataclasses.replace(search, simulations=50, gumbel_scale=0.0),
        selfplay=SelfPlayConfig(games=16, max_moves=spec.max_length, part_moves=200, life_ends=lives,
                                clip_rewards=True),
        replay=ReplayConfig(capacity=100_000, min_positions=2_000),
        learner=LearnerConfig(batch=((0.0, 64.0),), unroll=5, td_steps=5, gamma=0.99, learning_rate=1e-3,
                              value_weight=0.5, replay_ratio=16.0, shift=4),
        train=TrainConfig(steps=25_000, horizon=25_000, actors=1, evaluate_minutes=0.0),
    )
