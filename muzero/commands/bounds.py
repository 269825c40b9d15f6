"""Bounds of numeric options, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muzero.config.bounds import BOUNDS as SETTINGS
from muzero.view.console import USAGE, CommandError

MANY = 1 << 20
"""Most games, episodes or moves: far more than anyone would wait for."""
BOUNDS: Mapping[str, tuple[int, int]] = {
    "games": (2, MANY),
    "episodes": (1, MANY),
    "opening_plies": (0, MANY),
    "max_moves": (1, MANY),
    "seed": (0, 2**63 - 1),
    "positions": (20, MANY),
    "depth": (1, 1_000),
}
"""Option of `muzero evaluate`, `muzero play` and `muzero inspect` (with `_`) -> its lowest and highest value."""
OF_SEARCH = {"simulations": "search.simulations", "noise": "search.gumbel_scale"}
"""Option -> the search setting that has the same highest value; 0: without search, or without noise. The fraction of
Dirichlet noise is at most 1, which is checked once the agent is known."""
EVEN = ("games",)
"""Options of matches that must be even, so that each player moves first equally often."""


def bounds(name: str) -> tuple[float, float] | None:
    """The lowest and highest value of an option; None if it isn't a number."""
    if name in OF_SEARCH:
        return 0, SETTINGS[OF_SEARCH[name]][1]
    return BOUNDS.get(name)


def check_numbers(values: Mapping[str, Any]) -> None:
    """Refuse numbers out of bounds; skips omitted ones (None) and other options.

    Raises CommandError (usage) naming the option.
    """
    for name, given in values.items():
        for number in given if isinstance(given, tuple) else (given,):
            if number is not None:
                _check(name, number)


def check_between(option: str, number: float, allowed: tuple[float, float], of: str = "") -> None:
    """Refuse a number out of bounds. of: what it counts. Raises CommandError (usage)."""
    lowest, highest = allowed
    if not lowest <= number <= highest:
        raise CommandError(f"{option}: expected {int(lowest):,} to {int(highest):,}{of and f' {of}'}, got {number}",
                           USAGE)


def _check(name: str, number: Any) -> None:
    allowed, option = bounds(name), f"--{name.replace('_', '-')}"
    if allowed is not None:
        check_between(option, number, allowed)
    if name in EVEN and number % 2:
        raise CommandError(f"{option}: expected an even number, to split between both seats, got {number}", USAGE)
