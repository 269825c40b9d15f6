"""Where games come from: the contract of a source, and self-play in the learner's own process (deterministic)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from torch import Tensor

import games
from games import rows
from muzero.config import Config, check_resolved
from muzero.device import precision
from muzero.device.select import device_of
from muzero.model.build import build_model, search_model
from muzero.model.learned import LearnedModel
from muzero.model.protocol import SearchModel
from muzero.search.planners import ModelPlanner, planner
from muzero.storage import checkpoint
from selfplay.actor import Actor, Counters
from selfplay.planner import Planner
from selfplay.trajectory import Trajectory


@dataclass(frozen=True)
class Delivery:
    """Finished games, or parts of games, and what it took to play since the last delivery."""

    games: list[Trajectory]
    moves: int
    simulations: int
    returns: list[float]
    """What each game that ended paid to player 0, in the game's own units."""
    cut: int = 0
    """How many of those games `selfplay.max_moves` cut before their end."""


class Source(Protocol):
    """What the training loop asks of self-play."""

    def collect(self, wait: bool) -> list[Delivery]:
        """Finished games so far; with `wait`, play or wait for some (an empty list may still come)."""

    def publish(self, model: LearnedModel, progress: float) -> None:
        """Play with these weights from the next move on."""

    def close(self) -> None:
        """Stop playing; unfinished games are lost."""


def make_actor(config: Config, index: int, start: int = 0) -> Actor:
    """Actor `index` of a run that begins or goes on at learning step `start`: its games and its random stream."""
    check_resolved(config)
    seed = np.random.SeedSequence([config.train.seed, index, start]).generate_state(2)
    batch = games.make(config.game, config.selfplay.games, int(seed[0]))
    return Actor(batch, config.selfplay, int(seed[1]))


def delivery(actor: Actor, planner: Planner | None, progress: float) -> Delivery:
    """What one move in every game of `actor` gives; see `Actor.play`."""
    before = Counters(**vars(actor.counters))
    finished = actor.play(planner, progress)
    done = actor.counters
    return Delivery(finished, done.moves - before.moves, done.simulations - before.simulations, actor.returns,
                    actor.cut)


class InProcess:
    """Plays one lockstep move whenever the learner has to wait: same seed, same bytes."""

    def __init__(self, config: Config) -> None:
        self.actor = make_actor(config, 0)
        self.network = selfplay_network(config)
        self.planner = selfplay_planner(self.network, config)
        self.playing = False
        self.progress = 0.0

    def collect(self, wait: bool) -> list[Delivery]:
        return [delivery(self.actor, self.planner if self.playing else None, self.progress)] if wait else []

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.network.load_state_dict(model.state_dict())
        self.planner.refresh()
        self.playing, self.progress = True, progress

    def snapshot(self) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """All it needs to go on exactly: tensor files and JSON values of a checkpoint."""
        files = {"actors": self.actor.recorder.arrays(), "acting": dict(self.network.state_dict())}
        return files, {"actor": self.actor.snapshot(), "playing": self.playing, "acting_progress": self.progress}

    def restore(self, files: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> int:
        """Go back to what `snapshot` gave; how many games had to begin anew, as they don't follow from their seeds.

        Raises ValueError, KeyError, TypeError or RuntimeError for anything else.
        """
        stored, playing = state["actor"], state["playing"]
        progress = checkpoint.number_of(state, "acting_progress", 1.0)
        if type(playing) is not bool:
            raise ValueError(f"playing: true or false wanted, got {str(playing)[:40]}")
        counters = {field.name: checkpoint.count_of(stored["counters"], field.name) for field in fields(Counters)}
        opening = [checkpoint.count_of({"opening": plies}, "opening") for plies in stored["opening"]]
        made = [checkpoint.count_of({"made": moves}, "made") for moves in stored.get("made", opening)]
        if not len(opening) == len(made) == self.actor.games.size:
            raise ValueError(f"opening: {self.actor.games.size} games wanted, got {len(opening)} and {len(made)}")
        moves = {name: value.numpy() for name, value in files["actors"].items()}
        anew = self.actor.restore({**stored, "counters": counters, "opening": opening}, moves)
        self.network.load_state_dict(files["acting"])
        self.planner.refresh()
        self.playing, self.progress = playing, progress
        return anew

    def close(self) -> None:
        rows.close(self.actor.games)


def selfplay_network(config: Config) -> LearnedModel:
    """The network of an actor, on its device."""
    return build_model(config).eval().requires_grad_(False).to(device_of(config.train.device))


def selfplay_planner(network: LearnedModel, config: Config) -> ModelPlanner:
    """Plans the moves of `selfplay.games` games with `network`, in the precision of self-play."""
    return planner(for_selfplay(network, config), config.search, config.selfplay.games)


def for_selfplay(network: LearnedModel, config: Config) -> SearchModel:
    """`network` as self-play and reanalysis search with it."""
    dtype = precision.playing(config.train.precision, network.kind.spatial, network.device)
    return search_model(network, dtype)
