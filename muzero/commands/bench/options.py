"""Options that the benches share, and what is checked of them before anything is measured."""

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
    """Refuse options of any bench that can't be followed. Raises CommandError (usage)."""
    check_target(None if arguments.json in (None, SCREEN) else Path(arguments.json))
    check_some(arguments)
    if not 0.0 < arguments.seconds <= 3600.0:
        raise CommandError(f"--seconds: expected a number above 0 and at most 3,600, got {arguments.seconds}", USAGE)


def check_some(arguments: Any) -> None:
    """Refuse an option that was given without any value where one is needed."""
    for field in dataclasses.fields(arguments):
        if isinstance(field.default, tuple) and field.default and not getattr(arguments, field.name):
            name = "a game" if field.name == "game" else f"--{field.name}: at least one value"
            raise CommandError(f"expected {name}", USAGE)


def refuse_too_large(what: str, needed: int, free: int, mend: str) -> None:
    """Raises CommandError (usage) with the size if `needed` bytes are more than there are."""
    if needed > free:
        raise CommandError(f"{what} needs {needed / 2**30:,.1f} GiB, {free / 2**30:,.1f} GiB are free: {mend}", USAGE)


def devices(wanted: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Those of the wanted devices that are there, and what to say of the others."""
    import torch

    missing = "cuda" in wanted and not torch.cuda.is_available()
    there = [name for name in dict.fromkeys(wanted) if name != "cuda" or not missing]
    return there, (NO_GPU,) if missing else ()
