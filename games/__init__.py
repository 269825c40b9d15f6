"""Games: `make` a batch of games in lockstep, read its `spec`, list what can be played.

Engines are loaded lazily: `import games` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from games.base import NO_PLAYER, ActionLayout, GameBatch, GameError, GameSpec, Step

if TYPE_CHECKING:
    from games.families import Family
    from games.listing import GameListing
    from games.single import GameFactory

__all__ = [
    "NO_PLAYER",
    "ActionLayout",
    "GameBatch",
    "GameError",
    "GameSpec",
    "Step",
    "check_installed",
    "list_games",
    "make",
    "spec",
]


def make(name: str, size: int, seed: int = 0, history: int | None = None) -> GameBatch:
    """`size` games in lockstep, each at its first decision.

    `name` is an OpenSpiel name with parameters, `atari/ROM`, `gym/ID`, or, for your own game or environment,
    `module:Class` or `path/to/file.py:Class`. `seed` seeds the games' random events. `history` stacks that many
    positions in an observation, newest first (None: the game's default; OpenSpiel games only). Raises GameError.
    """
    from games.families import family

    kind = family(name)
    if kind == "open_spiel":
        from games.open_spiel import OpenSpielBatch
        from games.spiel_facts import load_facts

        return OpenSpielBatch(load_facts(name, history), size, seed)
    _no_history(name, history)
    if kind == "atari":
        from games.atari import AtariBatch
        from games.atari_protocol import atari_facts

        return AtariBatch(atari_facts(name), size, seed)
    from games.own_names import canonical
    from games.single import Lockstep

    factory, facts = _singles(name, kind)
    return Lockstep(canonical(name), factory, facts, size, seed)


def spec(name: str, history: int | None = None) -> GameSpec:
    """The static facts of a game; its `name` is the shortest name of that game. Raises GameError."""
    from games.families import family

    kind = family(name)
    if kind == "open_spiel":
        from games.spiel_facts import load_facts

        return load_facts(name, history).spec
    _no_history(name, history)
    if kind == "atari":
        from games.atari_protocol import atari_facts

        return atari_facts(name).spec
    from dataclasses import replace

    from games.own_names import canonical

    return replace(_singles(name, kind)[1], name=canonical(name))


def check_installed(name: str) -> None:
    """Raises GameError, naming what to install, if games of this kind can be described but not played."""
    from games.families import family

    if family(name) == "atari":
        from games.atari import ale_module

        ale_module()


def _singles(name: str, kind: Family) -> tuple[GameFactory, GameSpec]:
    """The factory of one game, and its spec."""
    if kind == "gym":
        from games.gym_game import load_gym

        return load_gym(name)
    from games.gym_game import load_environment
    from games.own_names import parse_own
    from games.single import load_own

    own = parse_own(name)
    environment = None if own is None else load_environment(own)
    return load_own(name) if environment is None else environment


def list_games() -> list[GameListing]:
    """Every OpenSpiel game with its default parameters: supported or not, and why not."""
    from games.listing import list_games as listed

    return listed()


def _no_history(name: str, history: int | None) -> None:
    if history not in (None, 1):
        raise GameError(f"{name}: history: expected 1 (this game stacks positions itself), got {history}")
