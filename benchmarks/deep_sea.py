"""Deep exploration: how many episodes until the treasure of deep_sea is found again and again.

    python benchmarks/deep_sea.py [--sizes 10 14 20] [--seeds 0 1 2] [--episodes 800] [--plain] [--out deep_sea.json]

Of N x N cells one path of N moves to the right leads to the treasure, and every move to the right costs: random play
finds it in one episode of 2^N. As in bsuite (Osband et al. 2020) an agent has solved it when fewer than nine tenths of
all its episodes so far were without the treasure. Counted are episodes of self-play, those of random play before the
first learning step included. --plain: the same settings without an ensemble.

Each run prints a line of JSON: `first`, the first episode with the treasure, and `solved`, the episode at which the
agent had solved it (null: neither happened); `episodes`, how many were played; `good`, how many of them had the
treasure; `cpu_seconds`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from muzero import presets
from muzero.config import Config, replace
from muzero.model.learned import LearnedModel
from muzero.training import loop, sources
from muzero.training.source import Delivery, Files, Source

ENSEMBLE: dict[str, Any] = {
    "model.ensemble.members": 8, "model.ensemble.prior_scale": 0.3, "model.ensemble.mask": 1.0,
    "model.ensemble.features": 64, "learner.own_targets": 1.0,
}
SUPPORT = {"low": -1.0, "high": 1.0, "bins": 3, "transform": False}
SETTINGS: dict[str, Any] = {
    # A latent must tell positions apart that no reward tells apart yet.
    "model.network": "mlp", "model.width": 64, "model.hidden": 128, "model.latent_norm": "layer",
    "model.reconstruction": True, "learner.reconstruction_weight": 100.0, "model.discount": "learned",
    **{f"model.{name}.{key}": value for name in ("value", "reward") for key, value in SUPPORT.items()},
    # Each action of the root is tried once: deeper than it is unrolled, a member isn't trained.
    "search.simulations": 2, "search.threads": 1, "search.gumbel_scale": 0.0, "search.c_scale": 1.0,
    "selfplay.games": 4, "selfplay.opening_fraction": 0.0, "selfplay.random_fraction": 0.0,
    "selfplay.warmup_positions": 0, "replay.min_positions": 128, "replay.prioritized": False,
    "held_out.fraction": 0.0, "learner.gamma": 0.99, "learner.td_steps": 1_000, "learner.unroll": 1,
    "learner.batch": ((0.0, 128.0),),
    "learner.replay_ratio": 64.0, "learner.learning_rate": 2e-3, "learner.warmup": 0.0, "learner.decay_from": 1.0,
    "train.steps": 0, "train.horizon": 0, "train.positions": 1_000_000, "train.publish_steps": 10, "train.actors": 0,
    "train.device": "cpu", "train.precision": "float32", "train.evaluate_minutes": 0.0, "train.log_seconds": 1e9,
    "train.checkpoint_seconds": 1e9,
}
BAD = 0.9
"""Share of the episodes without the treasure below which it counts as solved."""
GOOD = 0.5
"""A return above this had the treasure."""


class EnoughError(Exception):
    """The episodes are counted."""


class Counted:
    """A source of games that counts episodes, and ends the run when it is solved or has had its episodes."""

    def __init__(self, source: Source, most: int) -> None:
        self.source, self.most, self.repeatable = source, most, source.repeatable
        self.good: list[bool] = []

    @property
    def first(self) -> int | None:
        """The first episode with the treasure."""
        return self.good.index(True) + 1 if any(self.good) else None

    @property
    def solved(self) -> bool:
        return bool(self.good) and 1.0 - sum(self.good) / len(self.good) < BAD

    def collect(self, wait: bool) -> list[Delivery]:
        found = self.source.collect(wait)
        for delivery in found:
            for value in delivery.returns:
                self.good.append(value > GOOD)
                if self.solved or len(self.good) >= self.most:
                    raise EnoughError
        return found

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.source.publish(model, progress)

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        return self.source.snapshot()

    def restore(self, files: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> int | None:
        return self.source.restore(files, state)

    def close(self) -> None:
        self.source.close()


def settings(size: int, seed: int, plain: bool) -> Config:
    """The run's settings: the game's preset with those above."""
    own = {} if plain else ENSEMBLE
    return replace(presets.load(f"deep_sea(size={size})"), {**SETTINGS, **own, "train.seed": seed})


def measure(size: int, seed: int, most: int, plain: bool) -> dict[str, Any]:
    """One run: its episodes until solved, or None, and what it took."""
    held: list[Counted] = []

    def source(config: Config, start: int) -> Counted:
        held.append(Counted(sources.source_of(config, start), most))
        return held[-1]

    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EnoughError):
        loop.run(settings(size, seed, plain), Path(folder), source_of=source)
    counted = held[0]
    return {"size": size, "seed": seed, "plain": plain, "solved": len(counted.good) if counted.solved else None,
            "first": counted.first, "episodes": len(counted.good), "good": sum(counted.good),
            "cpu_seconds": round(time.process_time() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 14, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--episodes", type=int, default=800)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for size in asked.sizes:
        for seed in asked.seeds:
            rows.append(measure(size, seed, asked.episodes, asked.plain))
            print(json.dumps(rows[-1]), flush=True)
            if asked.out is not None:
                asked.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
