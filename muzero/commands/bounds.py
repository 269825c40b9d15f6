"""Bounds of the numbers that commands take as options, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muzero.config.bounds import BOUNDS as SETTINGS
from muzero.view.console import USAGE, CommandError

MANY = 1 << 20
"""Games, episodes or moves at most: far more than anybody waits for."""
BOUNDS: Mapping[str, tuple[int, int]] = {
    "games": (2, MANY),
    "episodes": (1, MANY),
    "opening_plies": (0, MANY),
    "max_moves": (1, MANY),
    "seed": (0, 2**63 - 1),
}
"""Option of `muzero evaluate` and `muzero play` (with `_`) -> the lowest and the highest value."""
OF_SEARCH = {"simulations": "search.simulations", "noise": "search.gumbel_scale"}
"""Option -> the setting of the search whose highest value is its own; 0: without search, or without noise. A share of
Dirichlet noise ends at 1, which is checked where the agent is known."""
EVEN = ("games",)
"""Options of matches, in which both seats are played equally often."""


def bounds(name: str) -> tuple[float, float] | None:
    """The lowest and the highest value of an option; None for one that is no number."""
    if name in OF_SEARCH:
        return 0, SETTINGS[OF_SEARCH[name]][1]
    return BOUNDS.get(name)


def check_numbers(values: Mapping[str, Any]) -> None:
    """Refuse numbers outside of their bounds; those left out (None) and other options are not looked at.

    Raises CommandError (usage) naming the option.
    """
    for name, given in values.items():
        for number in given if isinstance(given, tuple) else (given,):
            if number is not None:
                _check(name, number)


def check_between(option: str, number: float, allowed: tuple[float, float], of: str = "") -> None:
    """Refuse a number outside of the two that are allowed. of: what it counts. Raises CommandError (usage)."""
    lowest, highest = allowed
    if not lowest <= number <= highest:
        raise CommandError(f"{option}: expected {int(lowest):,} to {int(highest):,}{of and f' {of}'}, got {number}",
                           USAGE)


def _check(name: str, number: Any) -> None:
    allowed, option = bounds(name), f"--{name.replace('_', '-')}"
    if allowed is not None:
        check_between(option, number, allowed)
    if name in EVEN and number % 2:
        raise CommandError(f"{option}: expected an even number, the same for both seats, got {number}", USAGE)
