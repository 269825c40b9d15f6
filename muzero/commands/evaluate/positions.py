"""`muzero evaluate positions`: single moves against exact values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from muzero.commands.arguments import QUIET, Maybe
from muzero.commands.evaluate import measuring
from muzero.commands.evaluate.options import USUAL, Agent, CommonOptions, check
from muzero.view.console import USAGE, CommandError, log

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject

EXAMPLES = (
    "muzero evaluate positions tic_tac_toe --simulations 25 100",
    "muzero evaluate positions connect_four --file benchmarks/data/connect_four_positions.csv",
)


@dataclass(frozen=True)
class Arguments:
    """Compare moves with exact values, in every position or in those from a file.

    An agent is measured with each number of simulations, and without search.
    """

    agent: Agent
    """A game with a shipped agent, or the folder of a run or checkpoint. AGENT@N: with N simulations."""
    file: Maybe[Path] = None
    """CSV of positions with the score of every move (columns: docs/guides/evaluate.md). Without it: all positions."""
    simulations: Annotated[tuple[int, ...], QUIET] = ()
    """Simulations per search, one number or several (default: the agent's)."""
    player: Maybe[str] = None
    """Measure random, mcts:N or perfect instead of an agent."""
    common: CommonOptions = USUAL


def run(arguments: Arguments, argv: Sequence[str]) -> int:
    """Measure, print and write the results."""
    check(arguments)
    file = arguments.file
    if file is not None and not file.is_file():
        found = "is a folder, expected a file" if file.is_dir() else "is not there"
        raise CommandError(f"positions: {file} {found}", USAGE)
    who = measuring.Who(arguments.agent, arguments.common, arguments.simulations, arguments.player)
    return measuring.run(who, argv, partial(measure, arguments))


def measure(arguments: Arguments, subject: Subject) -> Iterator[object]:
    """The one test or the other."""
    from muzero.evaluation.positions import every_position, known_positions

    if arguments.file is None:
        yield every_position(subject, log)
    else:
        yield known_positions(subject, arguments.file, log)
