"""Families of games by name: own, Atari, Gymnasium, OpenSpiel."""

from __future__ import annotations

from typing import Literal

from games.atari_protocol import is_atari
from games.gym_game import is_gym
from games.own_names import parse_own

Family = Literal["own", "atari", "gym", "open_spiel"]


def family(name: str) -> Family:
    """`FILE.py:Class` is an own game, `atari/...` ALE's, `gym/...` Gymnasium's, all other names are OpenSpiel's."""
    own = parse_own(name)
    if own is not None and own.path is not None:
        # Also where it lies in a folder called atari or gym.
        return "own"
    if is_atari(name):
        return "atari"
    if is_gym(name):
        return "gym"
    return "own" if own is not None else "open_spiel"
