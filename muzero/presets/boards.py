"""Presets of single board games: in full for those with shipped agents, for others as changes to the general preset."""

from __future__ import annotations

from typing import Any

import games
from games.base import GameSpec
from muzero.config import (
    Config,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
    replace,
)
from muzero.presets import general

MORE_THOUGHT = ((0.0, 0.25), (0.2, 0.5), (0.6, 1.0))
"""Fraction of the simulations: few while the model is poor."""
LARGER_BATCHES = ((0.0, 64.0), (0.15, 128.0), (0.5, 256.0))
"""Many small updates at first, less noisy ones later."""

LONG: dict[str, Any] = {
    "search.simulations": 32, "selfplay.simulations_share": MORE_THOUGHT,
    "selfplay.warmup_positions": 20_000, "replay.min_positions": 20_000, "replay.min_window": 50_000,
    "play.simulations": 200, "learner.batch": LARGER_BATCHES, "learner.final_rate": 0.05,
    "train.steps": 0, "train.horizon": 0, "train.evaluate_minutes": 10.0, "train.evaluate_against": "mcts:100",
}
"""Settings for half an hour or more: more simulations later, larger batches, a larger replay buffer."""


def tic_tac_toe() -> Config:
    """Perfect play in three minutes on two cores."""
    return Config(
        game="tic_tac_toe",
        model=ModelConfig(network="mlp", width=64, hidden=128, latent_norm="layer"),
        search=SearchConfig(algorithm="gumbel", simulations=16, c_visit=50.0, c_scale=1.0),
        play=SearchConfig(algorithm="puct", simulations=100),
        selfplay=SelfPlayConfig(games=512, opening_fraction=0.75, opening_plies=8,
                                random_fraction=0.05),
        replay=ReplayConfig(capacity=35_000, min_positions=4_000),
        held_out=general.HELD_OUT,
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
        selfplay=SelfPlayConfig(games=0, simulations_share=((0.0, 0.5), (0.15, 1.0)), opening_fraction=0.75,
                                opening_plies=12, random_fraction=0.02, warmup_positions=30_000),
        replay=ReplayConfig(capacity=600_000, window_fraction=0.4, min_window=50_000, min_positions=20_000),
        held_out=general.HELD_OUT,
        learner=LearnerConfig(batch=LARGER_BATCHES, unroll=3, optimizer="muon", learning_rate=3e-3,
                              warmup=0.01, decay_from=0.5, final_rate=0.05, reconstruction_weight=10.0, ema=0.998,
                              replay_ratio=1.0),
        train=TrainConfig(steps=0, minutes=60.0, actors=-1, evaluate_minutes=5.0, evaluate_against="mcts:100"),
    )


def connect_four_board(spec: GameSpec) -> Config:
    """Connect Four on another board. One slip loses a draw: more simulations and larger batches later."""
    return replace(general.preset(spec), {
        "search.simulations": 32, "search.c_scale": 0.3, "selfplay.simulations_share": MORE_THOUGHT,
        "learner.batch": LARGER_BATCHES, "learner.search_share": 0.0, "train.steps": 10_000, "train.horizon": 10_000})


def othello() -> Config:
    """Two hours on two cores. A move flips stones up to seven cells away: a deeper g."""
    return _long("othello", 120.0, {"model.dynamics_blocks": 2})


def hex_7() -> Config:
    """Half an hour on two cores. Connections span the whole board: a deeper h."""
    return _long("hex(board_size=7)", 30.0, {"model.representation_blocks": 3})


def breakthrough() -> Config:
    """An hour on two cores. The effects of a move are local."""
    return _long("breakthrough", 60.0, {})


def go_9() -> Config:
    """Three hours on two cores. Groups and their liberties extend far: a deeper h and g."""
    return _long("go(board_size=9)", 180.0, {"model.representation_blocks": 3, "model.dynamics_blocks": 2})


def _long(game: str, minutes: float, overrides: dict[str, Any]) -> Config:
    return replace(general.preset(games.spec(game)), {**LONG, "train.minutes": minutes, **overrides})
