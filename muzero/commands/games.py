"""`muzero games`: the games that can be played, as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import checkpoints
from games import list_games
from games.listing import GameListing, list_atari
from muzero.commands.arguments import parse
from muzero.storage.checkpoint import read_config
from muzero.storage.runs import slug
from muzero.view.console import OK, tell
from muzero.view.terminal import table

EXAMPLES = (
    "muzero games",
    "muzero games --all                  # refused games too, with the reason",
    "muzero games --json | python -m json.tool",
    "muzero train 'go(board_size=9)'     # any listed game, with OpenSpiel's parameters",
)


@dataclass(frozen=True)
class Arguments:
    """List the games that can be trained and played: OpenSpiel's, by their names and parameters, and Atari's."""

    all: bool = False
    """Also the games that are refused, with the reason."""
    json: bool = False
    """Print JSON instead of a table."""


def run(argv: Sequence[str]) -> int:
    """Print the list."""
    arguments = parse(Arguments, argv, "muzero games", EXAMPLES)
    listed = [game for game in [*list_games(), *list_atari()] if arguments.all or game.supported]
    if arguments.json:
        print(json.dumps([dataclasses.asdict(game) for game in listed], indent=2))
        return OK
    supported = [game for game in listed if game.supported]
    shipped = checkpoints.shipped()
    tell(table(
        ("game", "players", "observation", "actions", "class"),
        [_row(game, slug(game.name) in shipped) for game in supported],
        left=(0, 2, 4),
    ))
    _tell_pairs([(game.name, game.note) for game in supported if game.note])
    tell(f"\n{len(supported)} games; * = an agent is shipped: muzero play GAME\n"
         f"{_others(shipped, supported)}"
         "gym/ID is any Gymnasium environment with discrete actions, FILE.py:Class a game of your own")
    if arguments.all:
        refused = [(game.name, game.reason) for game in listed if not game.supported]
        tell(f"\n{len(refused)} games are not supported:")
        _tell_pairs(refused)
    return OK


def _tell_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Games, each with a sentence about it, which goes on below its own beginning."""
    beside = max((len(name) for name, _ in pairs), default=0) + 2
    for number, (name, about) in enumerate(pairs):
        tell(f"{'' if number else chr(10)}{name:<{beside}}{about}", beside)


def _others(shipped: Mapping[str, Path], listed: Sequence[GameListing]) -> str:
    """The line for shipped agents whose games have other parameters than those listed."""
    known = {slug(game.name) for game in listed}
    names = [shlex.quote(read_config(folder).game) for name, folder in shipped.items() if name not in known]
    return f"also shipped, with parameters: {', '.join(names)}\n" if names else ""


def _row(game: GameListing, shipped: bool) -> tuple[str, ...]:
    shape = " x ".join(map(str, game.observation_shape))
    name = f"{game.name} *" if shipped else game.name
    return name, str(game.players), shape, f"{game.num_actions:,}", game.kind
