"""Presets of the games with shipped agents."""

from __future__ import annotations

from muzero.config import (
    Config,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
)


def tic_tac_toe() -> Config:
    """Perfect play within three minutes on two cores."""
    return Config(
        game="tic_tac_toe",
        model=ModelConfig(network="mlp", width=64, hidden=128, latent_norm="layer"),
        search=SearchConfig(algorithm="gumbel", simulations=16, c_visit=50.0, c_scale=1.0),
        play=SearchConfig(algorithm="puct", simulations=100),
        selfplay=SelfPlayConfig(games=512, opening_fraction=0.75, opening_plies=8,
                                random_fraction=0.05),
        replay=ReplayConfig(capacity=35_000, min_positions=4_000),
        learner=LearnerConfig(batch=((0.0, 256.0),), unroll=3, learning_rate=5e-3, warmup=0.05, decay_from=0.05,
                              replay_ratio=2.0),
        train=TrainConfig(steps=6_000, horizon=6_000, evaluate_minutes=0.2, evaluate_against="perfect"),
    )


def connect_four() -> Config:
    """An hour on two cores."""
    return Config(
        game="connect_four",
        model=ModelConfig(network="resnet", width=32, hidden=64, representation_blocks=2, dynamics_blocks=1,
                          latent_norm="rms", discount="learned", reconstruction=True),
        search=SearchConfig(algorithm="gumbel", simulations=32, c_visit=50.0, c_scale=0.2, threads=0),
        play=SearchConfig(algorithm="gumbel", simulations=200, c_scale=0.5, gumbel_scale=0.0),
        selfplay=SelfPlayConfig(games=0, simulations_share=((0.0, 0.25), (0.2, 0.5), (0.6, 1.0)),
                                opening_fraction=0.75, opening_plies=12, random_fraction=0.02, warmup_positions=30_000),
        replay=ReplayConfig(capacity=600_000, window_fraction=0.4, min_window=50_000, min_positions=20_000),
        learner=LearnerConfig(batch=((0.0, 64.0), (0.15, 128.0), (0.5, 256.0)), unroll=3, learning_rate=4e-3,
                              warmup=0.01, decay_from=0.5, final_rate=0.05, reconstruction_weight=10.0, ema=0.998,
                              search_share=0.5, replay_ratio=1.0),
        train=TrainConfig(steps=0, minutes=60.0, actors=-1, evaluate_minutes=5.0, evaluate_against="mcts:100"),
    )
