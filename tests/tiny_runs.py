"""The smallest runs that train: their settings, folders and commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muzero.config import (
    Config,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
)
from muzero.config import replace as overridden
from muzero.storage import runs
from muzero.training import loop

TINY = Config(
    game="tic_tac_toe",
    model=ModelConfig(width=8, hidden=8),
    search=SearchConfig(simulations=2),
    play=SearchConfig(algorithm="puct", simulations=4),
    selfplay=SelfPlayConfig(games=8, opening_fraction=0.5, opening_plies=3, random_fraction=0.1),
    replay=ReplayConfig(capacity=150, min_positions=60),
    learner=LearnerConfig(batch=((0.0, 16.0), (0.6, 24.0)), unroll=2, replay_ratio=2.0, learning_rate=1e-2),
    train=TrainConfig(steps=20, horizon=20, actors=0, device="cpu", log_seconds=1e6, checkpoint_seconds=1e6,
                      evaluate_minutes=0.0, publish_steps=3),
)


def tiny(**overrides: Any) -> Config:
    return overridden(TINY, {name.replace("__", "."): value for name, value in overrides.items()})


def last(out: Path) -> Path:
    folder = runs.newest(out)
    assert folder is not None
    return folder


def whole_run(config: Config, out: Path) -> Path:
    assert loop.run(config, out) == 0
    return last(out)


def words(out: Path) -> list[str]:
    return ["tic_tac_toe", "--out", str(out), "--steps", "2", "--train.actors", "0", "--selfplay.games", "8",
            "--replay.min-positions", "64", "--learner.batch", "16", "--train.evaluate-minutes", "0",
            "--train.device", "cpu"]
