"""Parser of game names, `short_name(key=value,...)`; checks them before any engine sees them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from games.base import GameError

_NAME = re.compile(r"[A-Za-z0-9_]+")
MAX_NAME_LENGTH = 500
"""Characters; a longer name is refused, whatever it contains."""


@dataclass(frozen=True)
class ParsedName:
    """`go(board_size=9)`, parsed; parameter values are still text."""

    short: str
    parameters: Mapping[str, str]

    def text(self) -> str:
        """The name with its parameters in alphabetical order; no brackets without parameters."""
        if not self.parameters:
            return self.short
        inner = ",".join(f"{key}={self.parameters[key]}" for key in sorted(self.parameters))
        return f"{self.short}({inner})"

    def without(self, key: str) -> ParsedName:
        """The same name without one parameter."""
        return ParsedName(self.short, {k: v for k, v in self.parameters.items() if k != key})


def parse_name(text: str) -> ParsedName:
    """Parse a game name. Raises GameError that says which part is wrong."""
    name = text.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise GameError(f"game {name[:40]!r}: expected a name like tic_tac_toe or hex(board_size=5)")
    short, bracket, rest = name.partition("(")
    if not _NAME.fullmatch(short.strip()):
        raise GameError(f"game {name!r}: expected a name of letters, digits and _, got {short.strip()!r}")
    if not bracket:
        return ParsedName(short.strip(), {})
    if not rest.endswith(")"):
        raise GameError(f"game {name!r}: the bracket after {short!r} is not closed by a final ')'")
    parameters: dict[str, str] = {}
    for part in _split_top_level(name, rest[:-1]):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not _NAME.fullmatch(key) or not value:
            raise GameError(f"game {name!r}: expected key=value, got {part.strip()!r}")
        if key in parameters:
            raise GameError(f"game {name!r}: parameter {key!r} is given twice")
        parameters[key] = value
    return ParsedName(short.strip(), parameters)


def _split_top_level(name: str, inside: str) -> list[str]:
    """Split at commas that aren't inside brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(inside):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            raise GameError(f"game {name!r}: one ')' too many")
        if character == "," and depth == 0:
            parts.append(inside[start:position])
            start = position + 1
    if depth:
        raise GameError(f"game {name!r}: a '(' is not closed")
    last = inside[start:]
    return [*parts, last] if parts or last.strip() else []


def nearest(
    word: str, known: Iterable[str], prefix: str = "", compared: Callable[[str], str] = lambda text: text
) -> str:
    """`; did you mean X?` for a mistyped word; empty if no known word is close. prefix: shown before the known word,
    not compared. compared: the part of a word that is; of several known words with the same one the last is shown."""
    spelt, word = {compared(one).lower(): one for one in known}, compared(word)
    matches = difflib.get_close_matches(word.lower(), spelt, n=1, cutoff=0.6)
    return f"; did you mean {prefix + spelt[matches[0]]!r}?" if matches else ""
