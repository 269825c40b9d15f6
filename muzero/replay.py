"""The newest positions of finished games, in rings reserved once; batches with targets are drawn from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec
from games.symmetry import Symmetries
from muzero.config import ConfigError, LearnerConfig, ReplayConfig
from muzero.gathering import mix_values, rows, turn_actions, turned_rows
from muzero.records import Batch, Findings, Trajectory
from muzero.sumtree import SumTree
from muzero.targets import fill_targets

PRIORITY_FLOOR = 1e-3
"""Added to every priority, so that nothing is forgotten for ever."""


def bytes_per_position(spec: GameSpec) -> int:
    """Memory of one stored position."""
    obs = math.prod(spec.observation_shape) * (1 if spec.observation_dtype == "uint8" else 4)
    return obs + 3 * spec.num_actions + 4 * 5 + 2


@dataclass(frozen=True)
class DrawConfig:
    """What a batch is made of."""

    unroll: int
    td_steps: int
    gamma: float
    search_share: float
    absorbing: bool
    symmetries: bool
    next_obs: bool

    @staticmethod
    def of(config: LearnerConfig, unroll: int) -> DrawConfig:
        """unroll: steps after the root, `Config.unroll`."""
        needs_next = config.reconstruction_weight > 0 or config.consistency_weight > 0
        return DrawConfig(unroll, config.td_steps, config.gamma, config.search_share, config.absorbing,
                          config.symmetries, needs_next)


class Replay:
    """A ring of positions. Whole games go in; the oldest positions are overwritten."""

    def __init__(self, spec: GameSpec, config: ReplayConfig, symmetries: Symmetries) -> None:
        self.spec, self.config, self.symmetries = spec, config, symmetries
        self.capacity = config.capacity
        priorities = SumTree.bytes_for(self.capacity) if config.prioritized else 0
        self.memory_bytes = self.capacity * bytes_per_position(spec) + priorities
        if self.memory_bytes > config.memory_limit_mb * 2**20:
            raise ConfigError(
                f"replay.capacity {self.capacity} needs {self.memory_bytes / 2**20:.0f} MB, more than "
                f"replay.memory_limit_mb {config.memory_limit_mb}; lower the capacity or raise the limit")
        self.rings = self._reserve()
        self.added = 0
        self.tree = SumTree(self.capacity) if config.prioritized else None
        self.max_priority = 1.0

    def _reserve(self) -> dict[str, NDArray[Any]]:
        n, actions = self.capacity, self.spec.num_actions
        return {
            "obs": np.zeros((n, *self.spec.observation_shape), dtype=self.spec.observation_dtype),
            "action": np.zeros(n, dtype=np.int32),
            "reward": np.zeros(n, dtype=np.float32),
            "discount": np.zeros(n, dtype=np.float32),
            "legal": np.zeros((n, actions), dtype=np.bool_),
            "policy": np.zeros((n, actions), dtype=np.float16),
            "root_value": np.zeros(n, dtype=np.float32),
            "searched": np.zeros(n, dtype=np.bool_),
            "exploratory": np.zeros(n, dtype=np.bool_),
            "left": np.zeros(n, dtype=np.int32),
        }

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    @property
    def window(self) -> int:
        """Newest positions that are drawn from."""
        wanted = max(self.config.min_window, math.ceil(self.config.window_fraction * self.added))
        return min(wanted, len(self))

    @property
    def ready(self) -> bool:
        return len(self) >= self.config.min_positions

    def add(self, game: Trajectory) -> None:
        """Store one whole game. A game longer than the ring keeps its newest positions."""
        length = len(game)
        if length == 0:
            return
        keep = min(length, self.capacity)
        places = (self.added + np.arange(keep)) % self.capacity
        for name, ring in self.rings.items():
            if name == "left":
                ring[places] = np.arange(keep, 0, -1)
            else:
                ring[places] = getattr(game, name)[length - keep :]
        if self.tree is not None:
            self.tree.update(places, np.full(keep, self.max_priority))
        self.added += keep

    def draw(self, size: int, config: DrawConfig, rng: np.random.Generator) -> Batch:
        """`size` positions with the targets of config.unroll steps."""
        places, weight = self._places(size, rng)
        return self.batch(places, weight, config, rng)

    def _places(self, size: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if self.tree is None:
            age = rng.integers(1, self.window + 1, size)
            return (self.added - age) % self.capacity, np.ones(size, dtype=np.float32)
        places = rng.permutation(self.tree.draw(size, rng))
        chance = self.tree.get(places) / self.tree.total
        weight = (len(self) * chance) ** -self.config.beta
        return places, (weight / weight.max()).astype(np.float32)

    def batch(
        self, places: NDArray[np.int64], weight: NDArray[np.float32], config: DrawConfig, rng: np.random.Generator
    ) -> Batch:
        """The batch of given places int64 [B]; random actions and symmetries come from `rng`."""
        size, unroll, rings = len(places), config.unroll, self.rings
        action = rng.integers(0, self.spec.num_actions, (size, unroll))
        reward = np.zeros((size, unroll), dtype=np.float32)
        turn = np.zeros((size, unroll), dtype=np.int64)
        value = np.zeros((size, unroll + 1), dtype=np.float32)
        step_place = np.zeros((size, unroll + 1), dtype=np.int64)
        inside = np.zeros((size, unroll + 1), dtype=np.bool_)
        trained = np.zeros((size, unroll + 1), dtype=np.bool_)
        fill_targets(
            places, rings["left"], rings["action"], rings["reward"], rings["discount"], rings["root_value"],
            rings["searched"], rings["exploratory"], config.td_steps, config.gamma,
            action, reward, turn, value, step_place, inside, trained)
        searched = inside & rings["searched"][step_place]
        if config.search_share > 0.0:
            mix_values(value, searched, step_place, rings["root_value"], np.float32(1.0 - config.search_share),
                       np.float32(config.search_share))
        chosen = None
        if config.symmetries and self.symmetries.count > 1:
            chosen = rng.integers(0, self.symmetries.count, size)
            turn_actions(action, self.symmetries.action_index, chosen)
        obs = self._gather("obs", step_place[:, :1], chosen)
        later = self._gather("obs", step_place[:, 1:], chosen) if config.next_obs else None
        legal = self._gather("legal", step_place, chosen)
        legal &= inside[:, :, None]
        if not config.absorbing:
            trained &= inside
        return Batch(
            obs=obs[:, 0], action=action, reward=reward, turn=turn, value=value,
            policy=self._gather("policy", step_place, chosen).astype(np.float32), legal=legal, alive=searched,
            inside=inside, trained=trained, next_obs=later, weight=weight, index=places)

    def _gather(self, name: str, places: NDArray[np.int64], chosen: NDArray[np.int64] | None) -> NDArray[Any]:
        """Ring `name` at places [B, K], row b turned by symmetry chosen[b]: [B, K, ...]."""
        ring = self.rings[name]
        out = np.empty((*places.shape, *ring.shape[1:]), dtype=ring.dtype)
        # Compiled loops know no half precision: its bytes travel as whole numbers.
        flat = [array.view(np.int16) if ring.dtype == np.float16 else array for array in (ring, out)]
        flat = [array.reshape(*array.shape[:lead], -1) for array, lead in zip(flat, (1, 2), strict=True)]
        if chosen is None:
            rows(flat[0], places, flat[1])
        else:
            index = self.symmetries.observation_index if name == "obs" else self.symmetries.action_index
            turned_rows(flat[0], places, index, chosen, flat[1])
        return out

    def set_priorities(self, places: NDArray[np.int64], error: NDArray[np.float32]) -> None:
        """Priorities |error|^alpha of places drawn before; nothing to do for a uniform replay."""
        if self.tree is None:
            return
        values = (np.abs(error).astype(np.float64) + PRIORITY_FLOOR) ** self.config.alpha
        self.max_priority = max(self.max_priority, float(values.max()))
        self.tree.update(places, values)

    def renew(self, places: NDArray[np.int64], found: Findings) -> None:
        """Overwrite the searches of places [B] by newer ones."""
        for name, value in vars(found).items():
            self.rings[name][places] = value

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The filled part of every ring, for a checkpoint."""
        filled = {name: ring[: len(self)] for name, ring in self.rings.items()}
        if self.tree is not None:
            filled["priority"] = self.tree.get(np.arange(len(self)))
        return filled

    def restore(self, arrays: dict[str, NDArray[Any]], added: int, max_priority: float) -> None:
        """Take back what `arrays` gave, here or in an older version. Raises ValueError naming an array that doesn't
        fit."""
        arrays, filled = upgraded(arrays), min(added, self.capacity)
        for name, ring in self.rings.items():
            held = arrays.get(name)
            if held is None or held.shape != (filled, *ring.shape[1:]) or held.dtype != ring.dtype:
                raise ValueError(f"stored replay doesn't fit this run: {name}")
        self._check_stored(arrays, added, filled)
        for name, ring in self.rings.items():
            ring[:filled] = arrays[name]
        if self.tree is not None:
            if "priority" not in arrays or arrays["priority"].shape != (filled,) or not (arrays["priority"] > 0).all():
                raise ValueError("stored replay doesn't fit this run: priority")
            self.tree.update(np.arange(filled), np.asarray(arrays["priority"], dtype=np.float64))
        self.added, self.max_priority = added, max_priority

    def _check_stored(self, arrays: dict[str, NDArray[Any]], added: int, filled: int) -> None:
        """Compiled loops follow these numbers without a look."""
        wrong = impossible({name: arrays[name] for name in self.rings}, self.spec.num_actions)
        # Oldest first: the moves left count down to 1, and the newest game is whole.
        left = arrays["left"][(added - filled + np.arange(filled)) % self.capacity]
        falls = (left[:-1] == 1) | (left[1:] == left[:-1] - 1)
        if filled and not ((left >= 1).all() and (left <= filled).all() and falls.all() and left[-1] == 1):
            wrong = "left"
        if wrong:
            raise ValueError(f"stored replay doesn't fit this run: {wrong} holds what no game gives")


def upgraded(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays [n, ...] of moves as this version means them. Older ones didn't always store what was searched, or had
    searches that left no policy: what has a policy was searched."""
    return {**arrays, "searched": np.asarray(arrays["policy"].any(-1))} if "policy" in arrays else arrays


def impossible(moves: Mapping[str, NDArray[Any]], actions: int) -> str | None:
    """The first of the arrays [n, ...] of moves, named as in `Trajectory`, that holds what no move gives, or None."""
    for name, held in moves.items():
        if held.dtype.kind == "f" and not np.isfinite(held).all():
            return name
        # A byte beyond 0 and 1 would be counted as many.
        if held.dtype == np.bool_ and (held.view(np.uint8) > 1).any():
            return name
    if not ((moves["action"] >= 0) & (moves["action"] < actions)).all():
        return "action"
    return None if np.isin(moves["discount"], (-1.0, 0.0, 1.0)).all() else "discount"
