"""Results of a benchmark: table and conclusions for the terminal, figures as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muzero.view.console import reader_may_leave, tell

SCREEN = "-"
"""In place of a file name: writes the figures to standard output, without the table."""


@dataclass(frozen=True)
class Found:
    """Results of a measurement."""

    rows: Sequence[Any]
    table: str
    said: tuple[str, ...]
    """Lines to print after the table."""
    facts: dict[str, Any]
    """Further fields of the JSON."""


def show(kind: str, argv: Sequence[str], found: Found, target: str | None) -> None:
    """Print the table and its conclusions, or the JSON instead."""
    from muzero.evaluation.provenance import hardware, provenance
    from muzero.reports.files import write_json

    content = {**provenance(["bench", *argv]), "bench": kind, **found.facts,
               "rows": [dataclasses.asdict(row) for row in found.rows]}
    if target == SCREEN:
        json.dump(content, sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return
    machine, versions = hardware(), content["versions"]
    with reader_may_leave():
        tell(f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; GPU: "
             f"{machine['gpu'] or 'none'}; torch {versions['torch']}, numpy {versions['numpy']}; "
             f"commit {short(content['commit']) or 'unknown'}\n")
        tell(found.table)
        if found.said:
            tell("\n" + "\n".join(found.said))
    if target is not None:
        write_json(Path(target), content)


def short(commit: str) -> str:
    """The first digits of a commit, and whether there are uncommitted changes."""
    digits, plus, changes = commit.partition("+")
    return digits[:12] + plus + changes


def fewest(rates: dict[int, float]) -> int:
    """The smallest number whose rate is near the best."""
    from muzero.bench.selfplay import smallest_near_best
    from muzero.bench.sizing import NEAR

    return smallest_near_best(rates, NEAR)
