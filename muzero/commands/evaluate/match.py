"""`muzero evaluate match`: an agent against an opponent, each moving first in half of the games."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from muzero.commands.arguments import Maybe
from muzero.commands.evaluate import measuring
from muzero.commands.evaluate.options import USUAL, Agent, CommonOptions, check
from muzero.commands.players import check_player
from muzero.view.console import USAGE, CommandError, command, log

if TYPE_CHECKING:
    from games.base import GameSpec
    from muzero.evaluation.matches import MatchReport
    from muzero.evaluation.subject import Subject

EXAMPLES = (
    "muzero evaluate match tic_tac_toe --against perfect --games 200",
    "muzero evaluate match checkpoints/runs/othello --against mcts:1000 --json result.json",
    "muzero evaluate match connect_four --player mcts:1000 --against mcts:100",
)


@dataclass(frozen=True)
class Arguments:
    """Play a match of an agent; each player moves first in half of the games."""

    agent: Agent
    """A game with a shipped agent, or the folder of a run or checkpoint. AGENT@N: with N simulations."""
    against: str = "random"
    """Opponent: random, mcts:N (OpenSpiel's MCTS; N: 200 if omitted), perfect, or an agent, by its own planner."""
    games: int = 100
    """Number of games, even."""
    opening_plies: Maybe[int] = None
    """Random moves before each game (default: 2 against an agent, else 0)."""
    simulations: Maybe[int] = None
    """Per search (default: the agent's; 0: no search)."""
    max_moves: Maybe[int] = None
    """Moves after which a game is cut off (default: the game's own limit, else 3,000)."""
    player: Maybe[str] = None
    """Measure random, mcts:N or perfect instead of an agent."""
    common: CommonOptions = USUAL


def run(arguments: Arguments, argv: Sequence[str]) -> int:
    """Play, print and write the results."""
    check(arguments)
    who = measuring.Who(arguments.agent, arguments.common, arguments.simulations, arguments.player)
    return measuring.run(who, argv, partial(measure, arguments), partial(check_game, arguments))


def check_game(arguments: Arguments, spec: GameSpec) -> None:
    """Refuse a one-player game and an unknown opponent. Raises CommandError (usage)."""
    if spec.players != 2:
        raise CommandError(f"expected a two-player game, got {spec.name}, which has one player; measure it by "
                           f"{command('evaluate', 'episodes', arguments.agent)}", USAGE)
    check_player("--against", arguments.against, spec.name)


def measure(arguments: Arguments, subject: Subject) -> Iterator[MatchReport]:
    """The match."""
    from muzero.evaluation.matches import Match, match

    asked = Match(arguments.against, arguments.games, arguments.opening_plies, arguments.max_moves or 0)
    yield match(subject, asked, log)
