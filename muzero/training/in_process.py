"""Self-play in the learner's process: plays a move whenever the learner must wait, so equal seeds give equal runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from games import rows
from muzero.config import Config
from muzero.model.learned import LearnedModel
from muzero.storage import checkpoint
from muzero.training.actors import delivery, make_actor, selfplay_network, selfplay_planner
from muzero.training.source import Delivery, Files
from selfplay.actor import Counters


class InProcess:
    """Plays one lockstep move each time the learner must wait."""

    repeatable = True

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

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        files = {"actors": self.actor.recorder.arrays(), "acting": dict(self.network.state_dict())}
        return files, {"actor": self.actor.snapshot(), "playing": self.playing, "acting_progress": self.progress}

    def restore(self, files: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> int | None:
        if "actor" not in state:
            return None
        stored, playing = state["actor"], state["playing"]
        progress = checkpoint.number_of(state, "acting_progress", 1.0)
        if type(playing) is not bool:
            raise ValueError(f"playing: expected true or false, got {str(playing)[:40]}")
        stored = _checked(stored, self.actor.games.size)
        moves = {name: value.numpy() for name, value in files["actors"].items()}
        anew = self.actor.restore(stored, moves)
        self.network.load_state_dict(files["acting"])
        self.planner.refresh()
        self.playing, self.progress = playing, progress
        return anew

    def close(self) -> None:
        rows.close(self.actor.games)


def _checked(stored: Mapping[str, Any], size: int) -> dict[str, Any]:
    """The stored state of an actor of `size` games, after checking its counts. Raises KeyError or ValueError."""
    counters = {field.name: checkpoint.count_of(stored["counters"], field.name) for field in fields(Counters)}
    opening = [checkpoint.count_of({"opening": plies}, "opening") for plies in stored["opening"]]
    made = [checkpoint.count_of({"made": moves}, "made") for moves in stored.get("made", opening)]
    numbers = [checkpoint.count_of({"numbers": number}, "numbers") for number in stored.get("numbers", made)]
    if not len(opening) == len(made) == len(numbers) == size:
        raise ValueError(f"opening: expected {size} games, got {len(opening)}, {len(made)} and {len(numbers)}")
    return {**stored, "counters": counters, "opening": opening}
