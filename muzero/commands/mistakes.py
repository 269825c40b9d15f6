"""Mistyped options: which option was meant, where only its beginning or initials were given or a switch got a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

MOST_MEANT = 3
"""Options named for an unknown one."""
SHORTEST = 3
"""Letters of a beginning that is taken for an option."""


def hint(argv: Sequence[str], defaults: Any = None) -> str:
    """What to type in place of a mistyped option; empty if it can't be told. defaults: a dataclass with all options."""
    if switch := _spelt_out(argv):
        return f"a switch takes no value: {switch}"
    meant = [] if defaults is None else _shortened(argv, _options(defaults))
    return f"did you mean {' or '.join(meant)}?" if meant else ""


def _spelt_out(argv: Sequence[str]) -> str | None:
    """`--x.no-y instead of --x.y False`, for the first switch given a value."""
    for option, value in pairwise(argv):
        if option.startswith("--") and value.lower() in ("true", "false"):
            section, dot, name = option[2:].rpartition(".")
            switch = option if value.lower() == "true" else f"--{section}{dot}no-{name}"
            return f"{switch} instead of {option} {value}"
    return None


def _options(values: Any, section: str = "") -> list[str]:
    """All options of a dataclass and of those in it: `learner.learning-rate`."""
    found = []
    for field in dataclasses.fields(values):
        value, name = getattr(values, field.name), f"{section}{field.name.replace('_', '-')}"
        found += _options(value, f"{name}.") if dataclasses.is_dataclass(value) else [name]
    return found


def _shortened(argv: Sequence[str], known: Sequence[str]) -> list[str]:
    """The options of which the first unknown one gives the initials or the beginning of the name: `--lr`."""
    for word in argv:
        option = word.partition("=")[0].removeprefix("--").replace("_", "-").replace(".no-", ".").removeprefix("no-")
        if word.startswith("--") and option not in known:
            section, dot, short = option.rpartition(".")
            same = (name for name in known if not dot or name.rpartition(".")[0] == section)
            return [f"--{name}" for name in same if _shortens(short, name.rpartition(".")[2])][:MOST_MEANT]
    return []


def _shortens(short: str, name: str) -> bool:
    initials = "".join(part[0] for part in name.split("-"))
    return short == initials or (len(short) >= SHORTEST and name.startswith(short))
