"""Options shared by the benchmarks, and their checks before anything is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from muzero.commands.bench.found import SCREEN
from muzero.reports.files import check_target
from muzero.view.console import USAGE, CommandError

NO_GPU = "cuda: no GPU here"


def check(arguments: Any) -> None:
    """Refuse invalid options of a benchmark. Raises CommandError (usage)."""
    check_target(None if arguments.json in (None, SCREEN) else Path(arguments.json))
    check_some(arguments)
    if not 0.0 < arguments.seconds <= 3600.0:
        raise CommandError(f"--seconds: expected a number above 0 and at most 3,600, got {arguments.seconds}", USAGE)


def check_some(arguments: Any) -> None:
    """Refuse an option without a value if it needs one."""
    for field in dataclasses.fields(arguments):
        if isinstance(field.default, tuple) and field.default and not getattr(arguments, field.name):
            name = "a game" if field.name == "game" else f"--{field.name}: at least one value"
            raise CommandError(f"expected {name}", USAGE)


def refuse_too_large(what: str, needed: int, free: int, mend: str) -> None:
    """Raises CommandError (usage) with the sizes if `needed` bytes are more than `free`."""
    if needed > free:
        raise CommandError(f"{what} needs {needed / 2**30:,.1f} GiB, {free / 2**30:,.1f} GiB are free: {mend}", USAGE)


def devices(names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The available ones of the named devices, and notes on the others."""
    import torch

    missing = "cuda" in names and not torch.cuda.is_available()
    there = [name for name in dict.fromkeys(names) if name != "cuda" or not missing]
    return there, (NO_GPU,) if missing else ()
