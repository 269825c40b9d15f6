"""`muzero evaluate suite`: aggregate scores over measured runs of several Atari games and training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from muzero.commands.arguments import Maybe
from muzero.commands.evaluate.options import check
from muzero.view.console import OK, USAGE, CommandError, reader_may_leave

EXAMPLES = (
    "muzero evaluate episodes checkpoints/runs/atari_pong --episodes 100   # each run first: RUN/evaluation.json",
    "muzero evaluate suite checkpoints/runs/atari_*",
    "muzero evaluate suite results/*.json --json suite.json                # what --json wrote will do too",
)


@dataclass(frozen=True)
class Arguments:
    """Combine evaluations of several Atari games and training seeds.

    Human-normalised mean, median, interquartile mean (IQM) and optimality gap.
    """

    runs: tyro.conf.Positional[
        Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN RUN ...", help_behavior_hint="(required)")]]
    """Folders of runs measured by `muzero evaluate episodes`, or the JSON files of such measurements."""
    seed: int = 0
    """Seed of the bootstrap for the intervals."""
    json: Maybe[Path] = None
    """Also write the results here, with command, seed, versions and hardware."""


def run(arguments: Arguments, argv: Sequence[str]) -> int:
    """Combine, print and write the results."""
    from muzero.evaluation.suite import SuiteError, combine

    check(arguments)
    if not arguments.runs:
        raise CommandError(f"expected folders of measured runs, as in {EXAMPLES[1]}", USAGE)
    try:
        report = combine(arguments.runs, arguments.seed)
    except SuiteError as error:
        raise CommandError(str(error), USAGE) from error
    from muzero.reports import as_json, terminal
    from muzero.reports.files import write_json

    with reader_may_leave():
        terminal.show(report)
    if arguments.json is not None:
        write_json(arguments.json, as_json.with_provenance(argv, as_json.content(report)))
    return OK
