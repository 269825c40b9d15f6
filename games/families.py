"""Families of games, told by name: your own, Atari, Gymnasium, OpenSpiel."""

from __future__ import annotations

from typing import Literal

from games.atari_protocol import is_atari
from games.gym_game import is_gym
from games.own_names import parse_own

Family = Literal["own", "atari", "gym", "open_spiel"]


HOLDING = frozenset[Family]({"own", "gym"})
"""Families whose games run third-party code."""


def family(name: str) -> Family:
    """`FILE.py:Class` is your own game, `atari/...` ALE's, `gym/...` Gymnasium's; all other names are OpenSpiel's."""
    own = parse_own(name)
    if own is not None and own.path is not None:
        # Even if it lies in a folder called atari or gym.
        return "own"
    if is_atari(name):
        return "atari"
    if is_gym(name):
        return "gym"
    return "own" if own is not None else "open_spiel"


def may_hold(name: str) -> bool:
    """Whether a game may hold resources that a kill would leave behind, such as child processes."""
    return family(name) in HOLDING
