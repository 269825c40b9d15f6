"""Memory estimates of self-play and learning, and free memory."""

from __future__ import annotations

import math
import resource

import torch

import games
from games.machine import free_memory
from muzero.bench.search import array_bytes
from muzero.config import Config
from muzero.config.kinds import DYNAMICS
from muzero.device.select import device_of
from muzero.model.learned import LearnedModel
from muzero.model.networks.prefix import Packing
from muzero.search.planners import reserved
from muzero.training.actors import follows_members
from selfplay.trajectory import unfinished_bytes

FLOAT_BYTES = 4
STATE_BYTES = 2_000
"""Bytes of the engine's state of one game."""


def peak_bytes() -> int:
    """Peak memory of this process so far (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def free_bytes(device: str = "cpu") -> int:
    """Free memory of a device; on a CPU, `games.machine.free_memory`."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return free_memory()


def latent_numbers(config: Config, carried: int = 0) -> int:
    """Numbers in one latent, or in the game state that takes its place. carried: numbers that travel with a latent."""
    if not DYNAMICS[config.model.dynamics].learned:
        return STATE_BYTES // FLOAT_BYTES
    with torch.device("meta"):
        model = LearnedModel(games.spec(config.game), config.model, config.learner.gamma)
    return math.prod(Packing(model.latent_shape, carried).shape)


def selfplay_bytes(config: Config) -> dict[str, int]:
    """By device, bytes of an actor's planner, latents and unfinished games, counting at most 32 moves of each game."""
    spec, count = games.spec(config.game), config.selfplay.games
    planner = reserved(config.search, spec.num_actions, count)
    features = config.model.ensemble.features if follows_members(config) else 0
    latents = planner.latents * latent_numbers(config, features) * FLOAT_BYTES
    unfinished = count * min(spec.max_length, config.selfplay.max_moves, 32) * unfinished_bytes(spec)
    host = planner.host_bytes + array_bytes(count, spec.num_actions) + unfinished
    if device_of(config.train.device).type == "cuda":
        return {"cpu": host, "cuda": latents}
    return {"cpu": host + latents}


def lockstep_bytes(name: str, count: int) -> int:
    """About how much a batch of games takes: positions, arrays read at once, and the engine's states."""
    return count * (3 * unfinished_bytes(games.spec(name)) + STATE_BYTES)


def learning_bytes(config: Config, batch: int) -> int:
    """A lower bound on the memory of one learning step: the batch, and the activations kept for the backward pass."""
    spec, kept = games.spec(config.game), 2 * (config.model.dynamics_blocks + 1)
    position = 2 * math.prod(spec.observation_shape) + 3 * spec.num_actions + kept * latent_numbers(config)
    return batch * (config.unroll + 1) * position * FLOAT_BYTES
