"""The replay buffer: the newest positions of finished games, in preallocated ring buffers.

If an observation is F frames, each frame is stored once: a game takes F - 1 places for the frames before its first
move, then one per move. Those first places hold nothing else and are never sampled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import GameSpec
from games.symmetry import Symmetries
from muzero.config import ConfigError, ReplayConfig
from muzero.replay.gather import rows, stacked_rows, transformed_rows
from muzero.replay.sum_tree import SumTree
from muzero.replay.targets import Moves
from selfplay.trajectory import StoredPlan, Trajectory, impossible, move_columns, stored_bytes, upgraded

PRIORITY_FLOOR = 1e-3
"""Added to every priority, so that every position can be sampled."""
LARGE_POSITION_MB = 0.2
"""From this position size on, observations are too large for a replay buffer of the usual capacity."""


def bytes_reserved(spec: GameSpec, config: ReplayConfig) -> int:
    """Memory of a replay buffer of this game. Raises ConfigError if it is too large, or holds no observation."""
    memory = config.capacity * stored_bytes(spec) + SumTree.bytes_for(config.capacity) * config.prioritized
    if memory > config.memory_limit_mb * 10**6:
        each = stored_bytes(spec) / 10**6
        smaller = "" if each < LARGE_POSITION_MB else (
            f"; or make observations smaller, as a position takes {each:.1f} MB (for pictures: "
            "gymnasium.wrappers.ResizeObservation)")
        raise ConfigError(
            f"replay.capacity {config.capacity} needs {memory / 10**6:.0f} MB, more than "
            f"replay.memory_limit_mb {config.memory_limit_mb}; lower the capacity or raise the limit{smaller}")
    if config.capacity < spec.frames:
        raise ConfigError(f"replay.capacity {config.capacity} holds no observation of {spec.frames} frames; raise it")
    return memory


class Replay:
    """A ring buffer of positions. Adds complete games and overwrites the oldest positions."""

    def __init__(self, spec: GameSpec, config: ReplayConfig, symmetries: Symmetries) -> None:
        self.spec, self.config, self.symmetries = spec, config, symmetries
        self.capacity = config.capacity
        self.memory_bytes = bytes_reserved(spec, config)
        self.lead = spec.frames - 1
        """Places that each game takes for the frames before its first move."""
        left = np.zeros(self.capacity, dtype=np.int32)
        self.rings = {**move_columns(spec, (self.capacity,), stored=True), "left": left}
        self.moves = Moves(**{name: self.rings[name] for name in Moves._fields})
        """The columns that targets are made from."""
        self.added = 0
        """Positions added so far."""
        self.written = 0
        """Places written so far: the next one is this number modulo the capacity."""
        self.tree = SumTree(self.capacity) if config.prioritized else None
        self.max_priority = 1.0

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    @property
    def window(self) -> int:
        """Number of newest places that are sampled from."""
        size = max(self.config.min_window, math.ceil(self.config.window_fraction * self.written))
        # The oldest remaining position has lost its earlier frames.
        return min(size, len(self) - self.lead)

    def add(self, game: Trajectory) -> None:
        """Store one complete game. Of a game longer than the ring, keeps the newest positions."""
        length = len(game)
        if length == 0:
            return
        keep = min(length, self.capacity - self.lead)
        places = (self.written + np.arange(self.lead + keep)) % self.capacity
        frames, moves = places[: self.lead], places[self.lead :]
        self.rings["obs"][places] = game.obs[length - keep :]
        self.rings["left"][frames] = 0
        self.rings["left"][moves] = np.arange(keep, 0, -1)
        for name, ring in self.rings.items():
            if name not in ("obs", "left"):
                ring[moves] = getattr(game, name)[length - keep :]
        self.written += len(places)
        self.added += keep
        if self.tree is not None:
            self.tree.update(moves, np.full(keep, self.max_priority))
            if self.lead:
                cut = (self.written + np.arange(self.lead)) % self.capacity
                self.tree.update(np.concatenate((frames, cut)), np.zeros(2 * self.lead))

    def drawable(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which places [B] hold a position with all its frames."""
        found: NDArray[np.bool_] = (self.rings["left"][places] > 0) & (self.age(places) < len(self) - self.lead)
        return found

    def age(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many places were written after each place [B]."""
        return (self.written - 1 - places) % self.capacity

    def choose(self, size: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """`size` sampled places, by priority if enabled, and their importance-sampling weights."""
        if self.tree is None:
            places = self._uniform(size, rng)
            while self.lead and not (fine := self.drawable(places)).all():
                places[~fine] = self._uniform(int((~fine).sum()), rng)
            return places, np.ones(size, dtype=np.float32)
        places = rng.permutation(self.tree.draw(size, rng))
        chance = self.tree.get(places) / self.tree.total
        weight = (len(self) * chance) ** -self.config.beta
        return places, (weight / weight.max()).astype(np.float32)

    def _uniform(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        return (self.written - rng.integers(1, self.window + 1, size)) % self.capacity

    def observations(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Observations [B, *O] of drawable places [B]."""
        return self.read("obs", places[:, None])[:, 0]

    def read(
        self, name: str, places: NDArray[np.int64], symmetry: NDArray[np.int64] | None = None
    ) -> NDArray[Any]:
        """Column `name` at places [B, K], row b transformed by symmetry[b]: [B, K, ...]; frames as observations."""
        ring = self.rings[name]
        if name == "obs" and self.lead:
            seen = np.empty((*places.shape, *self.spec.observation_shape), dtype=ring.dtype)
            frames = seen.reshape(*places.shape, self.spec.frames, -1)
            stacked_rows(ring.reshape(len(ring), -1), places, self.spec.frames, frames)
            return seen
        out = np.empty((*places.shape, *ring.shape[1:]), dtype=ring.dtype)
        # Compiled loops don't support half precision: copy its bytes as integers.
        flat = [array.view(np.int16) if ring.dtype == np.float16 else array for array in (ring, out)]
        flat = [array.reshape(*array.shape[:lead], -1) for array, lead in zip(flat, (1, 2), strict=True)]
        if symmetry is None:
            rows(flat[0], places, flat[1])
        else:
            index = self.symmetries.observation_index if name == "obs" else self.symmetries.action_index
            transformed_rows(flat[0], places, index, symmetry, flat[1])
        return out

    def set_priorities(self, places: NDArray[np.int64], error: NDArray[np.float32]) -> None:
        """Set priorities |error|^alpha of places sampled earlier; does nothing for uniform replay. NaN: unknown."""
        if self.tree is None:
            return
        places, error = places[told := ~np.isnan(error)], error[told]
        if len(places) == 0:
            return
        values = (np.abs(error).astype(np.float64) + PRIORITY_FLOOR) ** self.config.alpha
        self.max_priority = max(self.max_priority, float(values.max()))
        # Some may have been overwritten in the meantime.
        fine = self.drawable(places) if self.lead else np.ones(len(places), dtype=np.bool_)
        self.tree.update(places[fine], values[fine])

    def renew(self, places: NDArray[np.int64], found: StoredPlan) -> None:
        """Overwrite the stored searches of places [B] with newer ones."""
        for name, value in vars(found).items():
            self.rings[name][places] = value

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The filled part of every column, for a checkpoint."""
        filled = {name: ring[: len(self)] for name, ring in self.rings.items()}
        if self.tree is not None:
            filled["priority"] = self.tree.get(np.arange(len(self)))
        return filled

    def restore(
        self, arrays: dict[str, NDArray[Any]], added: int, max_priority: float, written: int | None = None
    ) -> None:
        """Restore the result of `arrays`, from this or an older version. Raises ValueError naming an array that doesn't
        fit. written: None if every place holds a position."""
        written = added if written is None else written
        arrays, filled = upgraded(arrays), min(written, self.capacity)
        for name, ring in self.rings.items():
            held = arrays.get(name)
            if held is None or held.shape != (filled, *ring.shape[1:]) or held.dtype != ring.dtype:
                raise ValueError(f"stored replay doesn't fit this run: {name}")
        self._check_stored(arrays, written, filled)
        for name, ring in self.rings.items():
            ring[:filled] = arrays[name]
        self.added, self.written, self.max_priority = added, written, max_priority
        if self.tree is not None:
            held, places = arrays.get("priority"), np.arange(filled)
            if held is None or held.shape != (filled,) or not ((held > 0) == self.drawable(places)).all():
                raise ValueError("stored replay doesn't fit this run: priority")
            self.tree.update(places, np.asarray(held, dtype=np.float64))

    def _check_stored(self, arrays: dict[str, NDArray[Any]], written: int, filled: int) -> None:
        """Check the arrays, as compiled loops use them unchecked as indices."""
        wrong = impossible({name: arrays[name] for name in self.rings}, self.spec.num_actions)
        # Oldest first: the moves left count down to 1, and the newest game is complete.
        left = arrays["left"][(written - filled + np.arange(filled)) % self.capacity]
        if filled and not (_counts_down(left[left != 0]) and left[-1] == 1 and self._leads(left)):
            wrong = "left"
        if wrong:
            raise ValueError(f"stored replay doesn't fit this run: {wrong} holds impossible values")

    def _leads(self, left: NDArray[np.int32]) -> bool:
        """Whether the places without a position in left [n], oldest first, are those before each game."""
        starts = np.flatnonzero(np.diff(left, prepend=1) > 0)
        leading = np.zeros(len(left), dtype=np.bool_)
        for before in range(1, self.lead + 1):
            leading[np.maximum(starts - before, 0)] = True
        return bool(((left == 0) == leading)[self.lead :].all())


def _counts_down(left: NDArray[np.int32]) -> bool:
    """Whether left [n] counts down to 1 by ones, repeatedly."""
    falls = (left[:-1] == 1) | (left[1:] == left[:-1] - 1)
    return bool((left >= 1).all() and (left <= len(left)).all() and falls.all())
