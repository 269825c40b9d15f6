"""`muzero evaluate video`: a film of one game, with value and policy next to the frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from muzero.commands.arguments import Maybe
from muzero.commands.evaluate import measuring
from muzero.commands.evaluate.options import USUAL, Agent, CommonOptions, check
from muzero.view.console import USAGE, CommandError, log
from muzero.view.film import INSTALL, KINDS

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject
    from muzero.play.filming import FilmReport

EXAMPLES = (
    "muzero evaluate video checkpoints/runs/atari_pong pong.mp4",
    "muzero evaluate video atari/pong pong.gif --max-moves 200",
)


@dataclass(frozen=True)
class Arguments:
    """Film one game of pixels, with value and policy next to the frames."""

    agent: Agent
    """A game with a shipped agent, or the folder of a run or checkpoint. AGENT@N: with N simulations."""
    file: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="FILE")]]
    """The film: .mp4 or .gif."""
    simulations: Maybe[int] = None
    """Simulations per search (default: the agent's; 0: no search)."""
    max_moves: Maybe[int] = None
    """Moves after which the game is cut off (default: the game's own limit, else 3,000)."""
    common: CommonOptions = USUAL


def run(arguments: Arguments, argv: Sequence[str]) -> int:
    """Film, print and write the results."""
    check(arguments)
    check_file(arguments.file)
    who = measuring.Who(arguments.agent, arguments.common, arguments.simulations)
    return measuring.run(who, argv, partial(measure, arguments))


def check_file(path: Path) -> None:
    """Refuse a file name that can't become a film. Raises CommandError (usage)."""
    if path.suffix.lower() not in KINDS:
        raise CommandError(f"film {path}: expected a name that ends in {' or '.join(KINDS)}", USAGE)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise CommandError(f"film {path}: can't be written there", USAGE)
    try:
        import av
        import PIL
    except ImportError as error:
        raise CommandError(f"a film needs packages that aren't installed ({error}): {INSTALL}", USAGE) from error
    del av, PIL


def measure(arguments: Arguments, subject: Subject) -> Iterator[FilmReport]:
    """The film."""
    yield record(subject, arguments.file, arguments.max_moves or 0)


def record(subject: Subject, path: Path, max_moves: int) -> FilmReport:
    """Film the first game. Raises GameError for a game without pictures."""
    from muzero.play.filming import record as film
    from muzero.play.viewing import Viewing

    assert subject.agent is not None, "options that need an agent were checked"
    return film(Viewing(subject.agent, subject.seed, subject.simulations[0], max_moves), path, log)
