"""Parser of player names: random, perfect, mcts:N, or an agent, alone or as AGENT@N."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from games.base import GameError

Kind = Literal["random", "mcts", "perfect", "agent"]
UNTRAINED: tuple[Kind, ...] = ("random", "mcts", "perfect")
"""Kinds of players that need no training."""
AT = "@"
"""Separates a trained agent from its number of simulations: `connect_four@200`."""
MCTS_USUAL = 200
"""Default simulations of `mcts`."""
MCTS_MOST = 10_000_000
"""Most simulations of an `mcts:N` player."""


@dataclass(frozen=True)
class PlayerName:
    """A player's name, parsed."""

    kind: Kind
    agent: str = ""
    """for a trained agent: its game, or the folder of a run, checkpoint or agent"""
    simulations: int | None = None
    """per search, of `mcts` or an agent; None: the agent's default"""


def is_mcts(text: str) -> bool:
    """True for `mcts` and for `mcts:N`, whatever N is."""
    return text.partition(":")[0] == "mcts"


def names_mcts(text: str) -> bool:
    """True for `mcts` and for `mcts:N` with a valid number N of simulations."""
    _, colon, number = text.partition(":")
    return is_mcts(text) and (not colon or _counts(number, 1, MCTS_MOST))


def mcts_simulations(text: str) -> int:
    """N of `mcts:N`. Raises GameError for an invalid number."""
    if not names_mcts(text):
        raise GameError(f"player {text!r}: expected mcts:N with 1 to {MCTS_MOST:,} simulations, such as mcts:200")
    return int(text.partition(":")[2] or MCTS_USUAL)


def split_simulations(text: str, most: int) -> tuple[str, int | None]:
    """Split `AGENT@N` into the agent and its simulations, 0 (no search) to `most`; None without `@N`.

    Raises GameError for an invalid number.
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
    """True for the decimal text of a number from `least` to `most`."""
    short = number.isascii() and number.isdecimal() and len(number) <= len(str(most))
    return short and least <= int(number) <= most
