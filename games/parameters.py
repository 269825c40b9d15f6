"""Checks of OpenSpiel game parameters before the engine sees them.

Engines trust their parameters: a negative board size crashes the process, a huge one exhausts the memory. So every
value is first checked against the type of its default and against plain bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from games.base import GameError
from games.naming import ParsedName, nearest, parse_name

MAX_LENGTH = 128
"""Largest edge of a board."""
MAX_INTEGER = 100_000
"""Largest value of any other whole number."""
MAX_CELLS = 10_000
"""Largest size ** dimensions, and sides ** dice."""

_EDGES = frozenset(
    {"board_size", "columns", "height", "m", "n", "num_cols", "num_houses_per_player", "num_rows"}
    | {"rows", "size", "width"}
)
_SEEDS = frozenset({"rng_seed", "seed"})
_POWERS = (("size", "dims"), ("dice_sides", "num_dice"))
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_FLOAT = re.compile(r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})")


def checked_parameters(
    name: ParsedName, known: Mapping[str, Any], nested: Callable[[ParsedName], ParsedName]
) -> ParsedName:
    """The same name with every value in canonical spelling. Raises GameError.

    `known` holds the default value of every parameter; `nested` checks a game given as a parameter.
    """
    values: dict[str, str] = {}
    for key, text in name.parameters.items():
        if key not in known:
            having = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise GameError(f"{name.short} has no parameter {key!r}{nearest(key, known)} ({having})")
        values[key] = _checked_value(f"{name.short}: {key}", key, text, known[key], nested)
    for base, exponent in _POWERS:
        if base in known and exponent in known:
            _check_power(name.short, values, known, base, exponent)
    return ParsedName(name.short, values)


def _checked_value(
    where: str, key: str, text: str, default: Any, nested: Callable[[ParsedName], ParsedName]
) -> str:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise GameError(f"{where}: expected True or False, got {text!r}")
        return text.capitalize()
    if isinstance(default, int):
        return _checked_integer(where, key, text)
    if isinstance(default, float):
        if not _FLOAT.fullmatch(text):
            raise GameError(f"{where}: expected a number like 7.5, got {text!r}")
        return repr(float(text))
    if isinstance(default, dict):
        inner = nested(parse_name(text)).text()
        return inner if inner.endswith(")") else inner + "()"
    return text


def _checked_integer(where: str, key: str, text: str) -> str:
    if not _INTEGER.fullmatch(text):
        raise GameError(f"{where}: expected a whole number, got {text!r}")
    number = int(text)
    highest = MAX_LENGTH if key in _EDGES else 2**31 - 1 if key in _SEEDS else MAX_INTEGER
    lowest = 1 if key in _EDGES else 0
    if not lowest <= number <= highest:
        raise GameError(f"{where}: expected {lowest} to {highest}, got {number}")
    return str(number)


def _check_power(
    short: str, values: Mapping[str, str], known: Mapping[str, Any], base: str, exponent: str
) -> None:
    edge, power = int(values.get(base, known[base])), int(values.get(exponent, known[exponent]))
    if edge > 1 and power * math.log(edge) > math.log(MAX_CELLS) + 1e-9:
        raise GameError(f"{short}: {base}={edge} to the power {exponent}={power} is more than {MAX_CELLS}")
