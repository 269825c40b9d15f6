"""Sampling of batches: positions with targets for the following steps, transformed by random symmetries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muzero.config import LearnerConfig
from muzero.replay.batch import Batch
from muzero.replay.buffer import Replay
from muzero.replay.gather import mix_values, shifted_frames, transform_actions
from muzero.replay.targets import Places, Targets, fill_targets


@dataclass(frozen=True)
class DrawConfig:
    """Settings that determine a batch."""

    unroll: int
    td_steps: int
    gamma: float
    search_share: float
    absorbing: bool
    symmetries: bool
    later_obs: int
    """number of later observations"""
    td_age: int = 0
    shift: int = 0

    @staticmethod
    def of(config: LearnerConfig, unroll: int, later_obs: int) -> DrawConfig:
        """unroll: steps after the root, `Config.unroll`. later_obs: see `muzero.model.auxiliary.later_obs`."""
        return DrawConfig(unroll, config.td_steps, config.gamma, config.search_share, config.absorbing,
                          config.symmetries, later_obs, config.td_age, config.shift)


def draw(replay: Replay, size: int, config: DrawConfig, rng: np.random.Generator) -> Batch:
    """`size` sampled positions with targets for config.unroll steps."""
    places, weight = replay.choose(size, rng)
    return batch_at(replay, places, weight, config, rng)


def batch_at(
    replay: Replay, places: Places, weight: NDArray[np.float32], config: DrawConfig, rng: np.random.Generator
) -> Batch:
    """The batch for drawable places [B]; random actions, symmetries and shifts come from `rng`."""
    targets = _targets(replay, places, config, rng)
    searched = targets.in_game & replay.rings["searched"][targets.place]
    _mix_in_search_values(replay, targets, searched, config.search_share)
    symmetry = _symmetries(replay, len(places), config, rng)
    if symmetry is not None:
        transform_actions(targets.action, replay.symmetries.action_index, symmetry)
    obs = _observations(replay, targets.place[:, :1], symmetry, config.shift, rng)[:, 0]
    return Batch(
        obs=obs, action=targets.action, reward=targets.reward, next_mover=targets.next_mover, value=targets.value,
        policy=replay.read("policy", targets.place, symmetry).astype(np.float32),
        legal=replay.read("legal", targets.place, symmetry) & targets.in_game[:, :, None], policy_mask=searched,
        in_game=targets.in_game, value_mask=targets.value_mask,
        later_obs=_later_observations(replay, targets, symmetry, config, rng), weight=weight, place=targets.place)


def _targets(replay: Replay, places: Places, config: DrawConfig, rng: np.random.Generator) -> Targets:
    """Targets of places [B] and the steps after them, without mixing in the search's values."""
    targets = Targets.empty(rng.integers(0, replay.spec.num_actions, (len(places), config.unroll)))
    fill_targets(places, replay.moves, td_steps(replay, places, config), config.gamma, targets)
    if not config.absorbing:
        np.logical_and(targets.value_mask, targets.in_game, out=targets.value_mask)
    return targets


def td_steps(replay: Replay, places: Places, config: DrawConfig) -> Places:
    """n of the n-step target of each place [B]: smaller for older ones, whose moves the current agent might not make.
    """
    if config.td_age == 0:
        return np.full(len(places), config.td_steps)
    return np.maximum(1, config.td_steps - replay.age(places) // config.td_age)


def _mix_in_search_values(replay: Replay, targets: Targets, searched: NDArray[np.bool_], share: float) -> None:
    """Mix a fraction `share` of the search's value into the value targets, in place, where searched [B, K+1]."""
    if share > 0.0:
        mix_values(targets.value, searched, targets.place, replay.moves.root_value, np.float32(1.0 - share),
                   np.float32(share))


def _symmetries(replay: Replay, size: int, config: DrawConfig, rng: np.random.Generator) -> Places | None:
    """A random symmetry [B] for each row; None if there are none to apply."""
    if not config.symmetries or replay.symmetries.count == 1:
        return None
    return rng.integers(0, replay.symmetries.count, size)


def _later_observations(
    replay: Replay, targets: Targets, symmetry: Places | None, config: DrawConfig, rng: np.random.Generator
) -> NDArray[Any] | None:
    """Observations [B, K', *O] after each of the first K' = config.later_obs actions, None for 0."""
    if config.later_obs == 0:
        return None
    return _observations(replay, targets.place[:, 1 : 1 + config.later_obs], symmetry, config.shift, rng)


def _observations(
    replay: Replay, places: Places, symmetry: Places | None, shift: int, rng: np.random.Generator
) -> NDArray[Any]:
    """Observations [B, K, *O] at places [B, K], transformed by symmetry[b], or shifted by up to `shift` pixels."""
    if shift == 0:
        return replay.read("obs", places, symmetry)
    spec, ring = replay.spec, replay.rings["obs"]
    moved = rng.integers(-shift, shift + 1, (*places.shape, 2))
    seen = np.empty((*places.shape, *spec.observation_shape), dtype=ring.dtype)
    shifted_frames(ring, places, spec.frames, moved, seen.reshape(*places.shape, spec.frames, *spec.frame_shape))
    return seen
