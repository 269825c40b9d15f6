"""`muzero evaluate episodes`: returns in a one-player game."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from muzero.commands.arguments import Maybe
from muzero.commands.evaluate import measuring, video
from muzero.commands.evaluate.options import USUAL, Agent, CommonOptions, check
from muzero.view.console import USAGE, CommandError, command, log

if TYPE_CHECKING:
    from games.base import GameSpec
    from muzero.evaluation.subject import Subject

EXAMPLES = (
    "muzero evaluate episodes checkpoints/runs/atari_pong --episodes 100",
    "muzero evaluate episodes checkpoints/runs/atari_pong --video pong.mp4",
    "muzero evaluate episodes atari/pong --player random --episodes 30",
)


@dataclass(frozen=True)
class Arguments:
    """Play complete games of a one-player game and measure their returns.

    A run stores its measurement, for `muzero evaluate suite`.
    """

    agent: Agent
    """A game with a shipped agent, or the folder of a run or checkpoint. AGENT@N: with N simulations."""
    episodes: int = 100
    """Games, each played from start to end."""
    simulations: Maybe[int] = None
    """Simulations per search (default: the agent's; 0: no search)."""
    max_moves: Maybe[int] = None
    """Moves after which a game is cut off (default: the game's own limit, else 3,000)."""
    video: Maybe[Path] = None
    """Also film one game into this file, .mp4 or .gif."""
    player: Maybe[str] = None
    """Measure random, mcts:N or perfect instead of an agent."""
    common: CommonOptions = USUAL


def run(arguments: Arguments, argv: Sequence[str]) -> int:
    """Play, print and write the results."""
    check(arguments)
    if arguments.video is not None:
        video.check_file(arguments.video)
    who = measuring.Who(arguments.agent, arguments.common, arguments.simulations, arguments.player)
    return measuring.run(who, argv, partial(measure, arguments), partial(check_game, arguments))


def check_game(arguments: Arguments, spec: GameSpec) -> None:
    """Refuse a two-player game. Raises CommandError (usage)."""
    if spec.players != 1:
        raise CommandError(f"expected a one-player game, got {spec.name}, which has two players; measure it by "
                           f"{command('evaluate', 'match', arguments.agent)}", USAGE)


def measure(arguments: Arguments, subject: Subject) -> Iterator[object]:
    """The film, if requested, and the games."""
    from muzero.evaluation.episodes import episodes

    most = arguments.max_moves or 0
    if arguments.video is not None:
        yield video.record(subject, arguments.video, most)
    yield episodes(subject, arguments.episodes, most, log)
