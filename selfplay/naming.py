"""Parser of player names: random, perfect, mcts:N, or an agent, alone or as AGENT@N."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from games.base import GameError

Kind = Literal["random", "mcts", "perfect", "agent"]
UNTRAINED: tuple[Kind, ...] = ("random", "mcts", "perfect")
"""Kinds of players that need no training."""
AT = "@"
"""Between a trained agent and its own number of simulations: `connect_four@200`."""
MCTS_USUAL = 200
"""Simulations of `mcts` without a number."""
MCTS_MOST = 10_000_000
"""Simulations of an `mcts:N` player at most."""


@dataclass(frozen=True)
class PlayerName:
    """What the text that names a player says."""

    kind: Kind
    agent: str = ""
    """of a trained agent: its game, or the folder of a run, a checkpoint or an agent"""
    simulations: int | None = None
    """of each search, of `mcts` or an agent; None: the agent's own"""


def is_mcts(text: str) -> bool:
    """True for `mcts` and for `mcts:N`, whatever N is."""
    return text.partition(":")[0] == "mcts"


def names_mcts(text: str) -> bool:
    """True for `mcts` and for `mcts:N` with a usable number N of simulations."""
    _, colon, number = text.partition(":")
    return is_mcts(text) and (not colon or _counts(number, 1, MCTS_MOST))


def mcts_simulations(text: str) -> int:
    """N of `mcts:N`. Raises GameError for a number no search can have."""
    if not names_mcts(text):
        raise GameError(f"player {text!r}: expected mcts:N with 1 to {MCTS_MOST:,} simulations, such as mcts:200")
    return int(text.partition(":")[2] or MCTS_USUAL)


def split_simulations(text: str, most: int) -> tuple[str, int | None]:
    """`AGENT@N` as agent and number of simulations, 0 (no search) to `most`; None without `@N`.

    Raises GameError for a number no search can have.
    """
    name, at, number = text.rpartition(AT)
    if not at:
        return text, None
    if not _counts(number, 0, most):
        raise GameError(f"player {text!r}: expected AGENT@N with 0 to {most:,} simulations")
    if not name or name.endswith(AT):
        raise GameError(f"player {text!r}: expected AGENT@N, a trained agent and one number")
    if name in ("random", "perfect") or is_mcts(name):
        raise GameError(f"player {text!r}: @N is for trained agents (OpenSpiel's MCTS is mcts:N)")
    return name, int(number)


def _counts(number: str, least: int, most: int) -> bool:
    """True for the decimal text of a number in that range."""
    short = number.isascii() and number.isdecimal() and len(number) <= len(str(most))
    return short and least <= int(number) <= most
