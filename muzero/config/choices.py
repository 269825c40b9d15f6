"""The check of a setting that is one of a few names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from muzero.errors import ConfigError


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raises ConfigError naming the setting and the nearest choice."""
    known = list(choices)
    if value not in known:
        near = difflib.get_close_matches(str(value), [str(choice) for choice in known], n=1)
        raise ConfigError(f"{name}: expected one of {', '.join(map(str, known))}, got {value!r}"
                          + (f"; nearest: {near[0]}" if near else ""))
