"""Automatic settings, which are chosen for the machine or the game when a run is created."""

from __future__ import annotations

import functools
from typing import Any

from muzero.config.config import Config
from muzero.errors import ConfigError

AUTO = {"selfplay.games": 0, "train.actors": -1, "search.threads": 0}
"""Settings that may be chosen for the machine, and the value that means automatic. `muzero.bench.sizing.resolve`
replaces these values before a run is created; nothing else reads them."""


def unresolved(config: Config) -> list[str]:
    """The settings of `AUTO` that are still automatic."""
    return [name for name, auto in AUTO.items() if _value(config, name) == auto]


BY_GAME = {"selfplay.max_moves": 0, "model.value.bins": 0, "model.reward.bins": 0}
"""Settings that may be chosen for the game, and the value that means automatic. `muzero.presets.survey.settle` replaces
these values, from random games, before a run is created."""


def by_game(config: Config) -> list[str]:
    """The settings of `BY_GAME` that are still automatic."""
    return [name for name, auto in BY_GAME.items() if _value(config, name) == auto]


def check_resolved(config: Config) -> None:
    """Refuse a config that still has automatic settings. Raises ConfigError."""
    for name in unresolved(config):
        raise ConfigError(f"{name}: expected a number here, got {AUTO[name]} (automatic): call "
                          "muzero.bench.sizing.resolve(config) first")
    for name in by_game(config):
        raise ConfigError(f"{name}: expected a number here, got {BY_GAME[name]} (automatic): call "
                          "muzero.bench.sizing.resolve(config) first")


def _value(config: Config, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), config)
