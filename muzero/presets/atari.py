"""Presets for Atari: games of pictures with rewards on the way. They differ only in settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from games.atari_protocol import atari_facts
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
    replace,
)

POSITIONS = 100_000
"""Positions of the 100k protocol: 400,000 frames."""
MOVES = 1 << 20
"""Most moves of one game, should a protocol allow more."""
SAVED = 240.0
"""Seconds between checkpoints: a replay buffer of 700 MB takes some seconds to write and to read back."""
FEW_REWARDS: dict[str, Any] = {
    "model.value.low": -10.0, "model.value.high": 10.0, "model.value.bins": 41, "model.reward.transform": False,
    "selfplay.clip_rewards": True,
}
"""For rewards clipped to their signs, values of +-117 are enough."""


def gumbel(spec: GameSpec) -> Config:
    """EfficientZero's model and targets with Gumbel MuZero's search: 16 simulations per move (Danihelka et al. 2022).
    """
    return replace(_published(spec), {
        **FEW_REWARDS, "model.prefix": 5, "model.prefix_hidden": 512, "model.reward.low": -5.0,
        "model.reward.high": 5.0, "model.reward.bins": 11, "model.consistency": True,
        "model.consistency_width": 1_024, "learner.consistency_weight": 2.0, "learner.shift": 4,
        "learner.td_age": 30_000, "learner.reanalyse_fraction": 0.05})


def efficientzero(spec: GameSpec) -> Config:
    """Ye et al. 2021: value prefix, self-consistency, n-step targets that shorten with age, pUCT."""
    return replace(gumbel(spec), {f"{search}.{name}": value for search, name, value in _puct(0.3)})


def muzero(spec: GameSpec) -> Config:
    """Schrittwieser et al. 2020: separate, unclipped rewards, pUCT, prioritised replay."""
    return replace(_published(spec), {
        **{f"{search}.{name}": value for search, name, value in _puct(0.25)},
        "learner.gamma": 0.997, "learner.step_weights": "mean", "learner.td_steps": 10, "replay.alpha": 1.0,
        "replay.beta": 1.0})


def small(spec: GameSpec) -> Config:
    """An hour on one core without a GPU: a small network, and many positions, which there are cheaper than replaying
    old ones. In one process, as in the experiments where it learned (docs/lab/atari.md).

    Random play first provides the pixel statistics and teaches the rewards; without it the policy may settle on one
    move before seeing any.
    """
    return replace(_published(spec), {
        **FEW_REWARDS, "model.width": 32, "model.hidden": 64, "model.picture_blocks": 0,
        "replay.min_positions": 20_000,
        "model.reward.low": -1.0, "model.reward.high": 1.0, "model.reward.bins": 3,
        "replay.prioritized": False, "learner.batch": ((0.0, 64.0),), "learner.td_steps": 10,
        "learner.replay_ratio": 4.0, "train.minutes": 60.0, "train.positions": 0,
        "train.actors": 0, "selfplay.warmup_positions": 20_000})


PRESETS: dict[str, Callable[[GameSpec], Config]] = {
    "gumbel": gumbel, "efficientzero": efficientzero, "muzero": muzero, "small": small}


def _published(spec: GameSpec) -> Config:
    """What the presets share. The discount, 0.997 per frame, and the weights of the unroll steps are EfficientZero's:
    with them `small` learns Pong and Breakout better, Up'n Down worse (docs/lab/atari.md). Pixels are standardised in
    place of the published batch norm, whose statistics differ between training and play."""
    wide = ScalarConfig(low=-300.0, high=300.0, bins=601, transform=True)
    moves = min(spec.max_length, MOVES)
    search = SearchConfig(algorithm="gumbel", simulations=16, scale="minmax", mirror=False, epsilon=0.01, c_scale=0.1)
    return Config(
        game=spec.name,
        model=ModelConfig(network="pixels", width=64, hidden=128, representation_blocks=1,
                          standardise=True, latent_norm="rms", value=wide, reward=wide),
        search=search,
        # As in training: more simulations scored lower, no noise lower or the same (docs/lab/atari.md).
        play=search,
        selfplay=SelfPlayConfig(games=32, max_moves=moves, part_moves=200, temperature_moves=moves,
                                temperature=((0.0, 1.0), (0.5, 0.5), (0.75, 0.25)),
                                life_ends=atari_facts(spec.name).shows_lives),
        replay=ReplayConfig(capacity=POSITIONS, min_positions=2_000, prioritized=True),
        learner=LearnerConfig(batch=((0.0, 256.0),), unroll=5, td_steps=5, gamma=0.988, step_weights="equal",
                              learning_rate=1e-3, warmup=0.01, value_weight=0.25, replay_ratio=256.0, ema=0.99),
        train=TrainConfig(steps=0, positions=POSITIONS, horizon=0, actors=1, evaluate_minutes=0.0, publish_steps=100,
                          checkpoint_seconds=SAVED),
    )


def _puct(alpha: float) -> list[tuple[str, str, Any]]:
    """50 simulations, with noise at the root in training but not in play."""
    both: dict[str, Any] = {"algorithm": "puct", "simulations": 50, "dirichlet_alpha": alpha}
    return [*(("search", name, value) for name, value in {**both, "dirichlet_fraction": 0.25}.items()),
            *(("play", name, value) for name, value in both.items())]
