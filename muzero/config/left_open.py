"""Automatic settings: those left to the machine or to the game until a run is made."""

from __future__ import annotations

import functools
from typing import Any

from muzero.config.config import Config
from muzero.errors import ConfigError

AUTO = {"selfplay.games": 0, "train.actors": -1, "search.threads": 0}
"""Settings that may be left to the machine, and the value that says so. `muzero.bench.sizing.resolve` puts numbers
there before a run is made; nothing else reads these values."""


def unresolved(config: Config) -> list[str]:
    """The settings of `AUTO` that are still left to the machine."""
    return [name for name, auto in AUTO.items() if _value(config, name) == auto]


BY_GAME = {"selfplay.max_moves": 0, "model.value.bins": 0, "model.reward.bins": 0}
"""Settings that may be left to the game, and the value that says so: `muzero.presets.survey.settle` puts numbers there,
by random games, before a run is made."""


def by_game(config: Config) -> list[str]:
    """The settings of `BY_GAME` that are still left to the game."""
    return [name for name, auto in BY_GAME.items() if _value(config, name) == auto]


def check_resolved(config: Config) -> None:
    """Refuse a config that still leaves a number to the machine or the game, where the number is needed. Raises
    ConfigError."""
    for name in unresolved(config):
        raise ConfigError(f"{name} is {AUTO[name]}, left to the machine; expected a number here: "
                          "muzero.bench.sizing.resolve(config) chooses it")
    for name in by_game(config):
        raise ConfigError(f"{name} is {BY_GAME[name]}, left to the game; expected a number here: "
                          "muzero.bench.sizing.resolve(config) chooses it")


def _value(config: Config, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), config)
