"""Games as data: `make` a batch in lockstep, read its `spec`, list what there is.

Nothing is loaded before it is asked for: `import games` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from games.base import NO_PLAYER, ActionLayout, GameBatch, GameError, GameSpec, Step

if TYPE_CHECKING:
    from games.listing import GameListing

__all__ = [
    "NO_PLAYER",
    "ActionLayout",
    "GameBatch",
    "GameError",
    "GameSpec",
    "Step",
    "list_games",
    "make",
    "spec",
]


def make(name: str, size: int, seed: int = 0, history: int | None = None) -> GameBatch:
    """`size` games in lockstep, at their first decisions.

    `name` is an OpenSpiel name with parameters, or `module:Class` or `path/to/file.py:Class` for a game of
    one's own. `seed` feeds the chance of the games. `history` stacks that many positions in an observation,
    newest first (None: the game's default). Raises GameError.
    """
    from games.single import Lockstep, is_own, load_own

    if is_own(name):
        _no_history(name, history)
        factory, own = load_own(name)
        return Lockstep(name.strip(), factory, own, size, seed)
    from games.open_spiel import OpenSpielBatch
    from games.spiel_facts import load_facts

    return OpenSpielBatch(load_facts(name, history), size, seed)


def spec(name: str, history: int | None = None) -> GameSpec:
    """The static facts of a game; its `name` is the shortest one of that game. Raises GameError."""
    from games.single import is_own, load_own

    if is_own(name):
        _no_history(name, history)
        from dataclasses import replace

        return replace(load_own(name)[1], name=name.strip())
    from games.spiel_facts import load_facts

    return load_facts(name, history).spec


def list_games() -> list[GameListing]:
    """Every OpenSpiel game under its default parameters: supported or not, and why not."""
    from games.listing import list_games as listed

    return listed()


def _no_history(name: str, history: int | None) -> None:
    if history not in (None, 1):
        raise GameError(f"{name}: history: wanted 1 (your own game stacks positions itself), got {history}")
