"""`muzero bench games`: only the games, under random moves."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from muzero.commands.arguments import Maybe, game_spec
from muzero.commands.bench.found import Found
from muzero.commands.bench.options import refuse_too_large
from muzero.commands.bounds import MANY, check_between

EXAMPLES = ("muzero bench games", "muzero bench games othello hex --games 1 1024")


@dataclass(frozen=True)
class Arguments:
    """Measure only the games: observations, legal moves and steps under random play."""

    game: tyro.conf.Positional[tuple[str, ...]] = ("tic_tac_toe", "connect_four")
    """Any games that can be trained."""
    games: tuple[int, ...] = (1, 64, 512)
    """Games in lockstep."""
    seconds: float = 0.5
    """Seconds for each row."""
    json: Maybe[str] = None
    """Also write the figures here, with command, versions and hardware; - for standard output, without the table."""


def measure(arguments: Arguments) -> Found:
    """Every game with every number in lockstep."""
    names = [game_spec(name).name for name in arguments.game]
    for number in arguments.games:
        check_between("--games", number, (1, MANY))
    from muzero.bench import games as playing
    from muzero.bench.memory import free_bytes, lockstep_bytes
    from muzero.bench.tables import GAMES

    for name in names:
        for number in arguments.games:
            refuse_too_large(f"--games {number} of {name}", lockstep_bytes(name, number), free_bytes(),
                             "use fewer games")
    rows = [playing.measure(name, number, arguments.seconds) for name in names for number in arguments.games]
    return Found(rows, GAMES.lines(rows), (), {})
