"""A small replay of made-up games."""

from __future__ import annotations

from typing import Any

import numpy as np

import games
from games.symmetry import symmetries
from muzero.config import ReplayConfig
from muzero.replay.buffer import Replay
from selfplay.trajectory import MOVE_FIELDS, Trajectory

SPEC = games.spec("tic_tac_toe")


def game(seed: int) -> Trajectory:
    """A random game of Tic-Tac-Toe whose searches found nothing."""
    batch, rng = games.make("tic_tac_toe", 1), np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    discount = 1.0
    while discount != 0.0:
        obs, legal = batch.observe()[0].copy(), batch.legal()[0].copy()
        action = int(rng.choice(np.flatnonzero(legal)))
        step = batch.step(np.array([action], np.int32))
        discount = float(step.discount[0])
        rows.append((obs, action, step.reward[0], discount, legal, np.zeros(9), 0.0, False, False))
    dtypes = (np.uint8, np.int32, np.float32, np.float32, np.bool_, np.float32, np.float32, np.bool_, np.bool_)
    return Trajectory(*(np.array(column, dtype) for column, dtype in zip(zip(*rows, strict=True), dtypes, strict=True)))


def replay(number: int = 8, **settings: Any) -> Replay:
    config = ReplayConfig(**{"capacity": 100, "min_positions": 1, **settings})
    held = Replay(SPEC, config, symmetries("tic_tac_toe"))
    for seed in range(number):
        held.add(game(seed))
    return held


def random_game(name: str, seed: int) -> Trajectory:
    """A random game whose policy has another number for every legal action."""
    batch, rng = games.make(name, 1), np.random.default_rng(seed)
    rows: dict[str, list[Any]] = {name: [] for name in ("obs", *MOVE_FIELDS)}
    discount = 1.0
    while discount != 0.0 and len(rows["action"]) < 12:
        obs, legal = batch.observe()[0], batch.legal()[0]
        action = int(rng.choice(np.flatnonzero(legal)))
        policy = legal * np.arange(1, len(legal) + 1)
        step = batch.step(np.array([action], np.int32))
        discount = float(step.discount[0])
        for key, value in (("obs", obs), ("action", action), ("reward", step.reward[0]), ("discount", discount),
                           ("legal", legal), ("policy", policy / 1024), ("root_value", 0.0), ("exploratory", False),
                           ("searched", True)):
            rows[key].append(value)
    dtypes = {"action": np.int32, "exploratory": np.bool_, "legal": np.bool_, "searched": np.bool_,
              "obs": batch.spec.observation_dtype}
    return Trajectory(**{name: np.array(value, dtypes.get(name, np.float32)) for name, value in rows.items()})
