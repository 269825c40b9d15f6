"""Settings that are known to work, one function a game; any other game gets settings by the shape of its facts.

A preset holds only what differs from the defaults of `muzero.config`.
"""

from __future__ import annotations

import games
from games.atari_protocol import is_atari
from muzero.config import Config, replace
from muzero.presets import atari, boards, general

PRESETS = {
    "tic_tac_toe": boards.tic_tac_toe, "connect_four": boards.connect_four, "othello": boards.othello,
    "hex(board_size=7)": boards.hex_7, "breakthrough": boards.breakthrough, "go(board_size=9)": boards.go_9,
}
FAMILIES = {"connect_four": boards.connect_four_board}
"""By the name without parameters: for the game with other parameters than a preset's."""


def load(game: str) -> Config:
    """The preset of a game by its name, parameters included. Raises GameError for a game that can't be had."""
    spec = games.spec(game)
    if is_atari(spec.name):
        return atari.small(spec)
    known, family = PRESETS.get(spec.name), FAMILIES.get(spec.name.partition("(")[0], general.preset)
    return known() if known is not None else family(spec)


def with_rules(preset: Config) -> Config:
    """A preset for the game's own rules in place of learned dynamics: without what trains these alone.

    Raises ConfigError for a game whose rules can't be searched.
    """
    return replace(preset, {
        "model.dynamics": "rules", "model.reconstruction": False, "model.consistency": False,
        "learner.reconstruction_weight": 0.0, "learner.consistency_weight": 0.0, "learner.reanalyse_fraction": 0.0})
