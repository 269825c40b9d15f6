"""`muzero evaluate tournament`: Elo ratings of several players by a round robin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from muzero.commands.arguments import Maybe
from muzero.commands.evaluate import field
from muzero.commands.evaluate.options import check
from muzero.view.console import INTERRUPTED, OK, log

EXAMPLES = (
    "muzero evaluate tournament connect_four random mcts:100 connect_four@0 connect_four@200",
    "muzero evaluate tournament connect_four checkpoints/runs/connect_four/snapshots random --games 40",
)


@dataclass(frozen=True)
class Arguments:
    """Rate players of a two-player game by a round robin, in Elo with intervals.

    After Ctrl-C, rates by the games played so far.
    """

    game: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="GAME")]]
    """The game that all players play."""
    players: tyro.conf.Positional[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="PLAYER PLAYER ...", help_behavior_hint="(required)")]]
    """Runs, agents (AGENT@N: with N simulations), random, mcts:N, perfect; RUN/snapshots: all snapshots of a run."""
    games: int = 20
    """Games per pairing, an even number."""
    opening_plies: int = 4
    """Random moves before each game, the same for every pairing."""
    simulations: Maybe[int] = None
    """Simulations of agents without @N (default: each agent's; 0: no search)."""
    seed: int = 0
    max_moves: Maybe[int] = None
    """Moves after which a game is cut off (default: the game's own limit, else 3,000)."""
    skip_unreadable: bool = False
    """Skip agents that can't be read."""
    json: Maybe[Path] = None
    """Also write the results here, with command, seed, versions and hardware."""


def run(arguments: Arguments, argv: Sequence[str]) -> int:
    """Play, print and write the results. Returns 130 after Ctrl-C, once the games played so far are rated."""
    check(arguments)
    game = field.check_game(arguments.game)
    found = field.find(arguments.players, game, arguments.simulations, arguments.skip_unreadable)
    seats = field.load(found, game)
    from muzero.evaluation.tournament import Tournament, hold

    asked = Tournament(game, arguments.games, arguments.opening_plies, arguments.seed, arguments.max_moves or 0)
    report = hold(asked, seats, found.skipped, log)
    if report is None:
        log("stopped before the first pairing was over: too few games for ratings")
        return INTERRUPTED
    from muzero.reports import as_json, terminal
    from muzero.reports.files import write_json

    if arguments.json is not None:
        write_json(arguments.json, as_json.with_provenance(argv, as_json.content(report)))
    terminal.show(report)
    return INTERRUPTED if report.interrupted else OK
