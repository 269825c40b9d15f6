"""What a bench found: the table and what it says on the screen, the figures as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muzero.view.console import tell

SCREEN = "-"
"""In place of a file: the figures go to standard output, without the table."""


@dataclass(frozen=True)
class Found:
    """What a measurement gave."""

    rows: Sequence[Any]
    table: str
    said: tuple[str, ...]
    """Lines after the table."""
    facts: dict[str, Any]
    """More for the JSON."""


def show(kind: str, argv: Sequence[str], found: Found, target: str | None) -> None:
    """The table and what it says on stdout, or JSON there instead."""
    from muzero.evaluation.provenance import hardware, provenance
    from muzero.reports.files import write_json

    content = {**provenance(["bench", *argv]), "bench": kind, **found.facts,
               "rows": [dataclasses.asdict(row) for row in found.rows]}
    if target == SCREEN:
        json.dump(content, sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return
    machine, versions = hardware(), content["versions"]
    tell(f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; GPU: "
         f"{machine['gpu'] or 'none'}; torch {versions['torch']}, numpy {versions['numpy']}; "
         f"commit {short(content['commit']) or 'unknown'}\n")
    tell(found.table)
    if found.said:
        tell("\n" + "\n".join(found.said))
    if target is not None:
        write_json(Path(target), content)


def short(commit: str) -> str:
    """The first digits of a commit, and whether files differ from it."""
    digits, plus, changes = commit.partition("+")
    return digits[:12] + plus + changes


def fewest(rates: dict[int, float]) -> int:
    """The smallest number whose rate is near the best."""
    from muzero.bench.selfplay import smallest_near_best
    from muzero.bench.sizing import NEAR

    return smallest_near_best(rates, NEAR)
