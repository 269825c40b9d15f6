"""Presets: settings known to work, by game; other games get settings that depend on their static facts.

A preset lists only what differs from the defaults of `muzero.config`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import games
from games.atari_protocol import is_atari
from games.base import GameSpec
from games.naming import nearest
from muzero.config import Config, ConfigError, changes, replace
from muzero.config.settings import auxiliary_parts
from muzero.presets import atari, boards, general

ONLY = "usual"
"""The name of the preset if there is only one."""
PRESETS = {
    "tic_tac_toe": boards.tic_tac_toe, "connect_four": boards.connect_four, "othello": boards.othello,
    "hex(board_size=7)": boards.hex_7, "breakthrough": boards.breakthrough, "go(board_size=9)": boards.go_9,
}
FAMILIES = {"connect_four": boards.connect_four_board}
"""By game name without parameters: for parameters that no preset has."""


def names(game: str) -> tuple[str, ...]:
    """The presets available for a game, the default first. Raises GameError for an unknown or unsupported game."""
    return tuple(atari.PRESETS) if is_atari(games.spec(game).name) else (ONLY,)


def load(game: str, name: str | None = None) -> Config:
    """A preset of a game (its name may have parameters); the default if no name is given.

    Raises GameError for an unknown or unsupported game, ConfigError for an unknown preset.
    """
    spec = games.spec(game)
    if name is not None and name not in names(game):
        raise ConfigError(_unknown(spec.name, name, names(game)))
    chosen = name or names(game)[0]
    return dataclasses.replace(_settings(spec, chosen), preset=chosen)


def _unknown(game: str, name: str, known: tuple[str, ...]) -> str:
    """The message that a game has no preset of this name."""
    if len(known) == 1:
        return f"{game} has only the preset {known[0]}, got {name!r}"
    return f"{game} has no preset {name!r}: {', '.join(known)}{nearest(name, known)}"


def _settings(spec: GameSpec, name: str) -> Config:
    if is_atari(spec.name):
        return atari.PRESETS[name](spec)
    known, family = PRESETS.get(spec.name), FAMILIES.get(spec.name.partition("(")[0], general.preset)
    return known() if known is not None else family(spec)


def made_with(config: Config) -> str:
    """The name of the preset a config was made with.

    Older versions didn't store it: then it is the preset that differs least from the settings.
    """
    known = names(config.game)
    if config.preset in known:
        return config.preset
    return min(known, key=lambda name: len(changes(load(config.game, name), config)))


def by_hand(config: Config) -> frozenset[str]:
    """Dotted names of the settings of `config` that differ from its preset."""
    return frozenset(changes(load(config.game, made_with(config)), config)) - {"preset"}


def with_rules(preset: Config) -> Config:
    """A preset with the true rules in place of learned dynamics, without the settings that train or read dynamics.

    Raises ConfigError for a game whose rules can't be searched.
    """
    off: dict[str, Any] = {"learner.reanalyse_fraction": 0.0, "held_out.fraction": 0.0, "model.transition": "expected",
                           "search.legality.least": 0.0, "play.legality.least": 0.0}
    for part, weight in auxiliary_parts().items():
        off |= {f"model.{part}": False, f"learner.{weight}": 0.0}
    return replace(preset, {"model.dynamics": "rules", **off})
