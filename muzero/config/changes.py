"""Differences between two configs, and which settings may change when a run is resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from games.own_names import same_game
from muzero.config.config import Config
from muzero.errors import ConfigError

FIXED = ("game", "model.", "replay.capacity", "replay.prioritized", "held_out.fraction", "learner.optimizer",
         "train.seed")
"""Settings (and groups of them) that the stored state of a run depends on."""


def changes(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Dotted name -> (old value, new value) of each setting that differs."""
    return dict(_differences(dataclasses.asdict(old), dataclasses.asdict(new), ""))


def _differences(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name, value in old.items():
        if isinstance(value, dict):
            yield from _differences(value, new[name], f"{path}{name}.")
        elif value != new[name]:
            yield f"{path}{name}", (value, new[name])


def check_continues(where: object, stored: Config, config: Config) -> dict[str, tuple[Any, Any]]:
    """Changes if the run in `where` is resumed with `config`. Raises ConfigError for a setting that can't change."""
    changed = changes(stored, config)
    # Unfinished games are stored only if they are played in the learner's process.
    fixed = (*FIXED, "selfplay.games") if stored.train.actors == config.train.actors == 0 else FIXED
    for name, (old, new) in changed.items():
        if name.startswith(fixed) and not (name == "game" and same_game(old, new)):
            raise ConfigError(
                f"{where} was made with {name} {old}, which can't change to {new} when a run is resumed\n"
                "  choose another folder with --out, or start over with --fresh (the old run is set aside)")
    return changed
