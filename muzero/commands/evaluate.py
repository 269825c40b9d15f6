"""`muzero evaluate GAME`: matches, every position of a solved game, or positions with known scores."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from games.naming import nearest
from games.single import is_own
from muzero.commands.arguments import find_agent, game_spec, in_bounds, load_agent, parse
from muzero.commands.console import OK, USAGE, CommandError, log
from muzero.config import MCTS_MOST, names_mcts

if TYPE_CHECKING:
    from muzero.commands.measures import Subject

EXAMPLES = (
    "muzero evaluate tic_tac_toe --against perfect --games 200",
    "muzero evaluate tic_tac_toe --every-position --simulations 25 100",
    "muzero evaluate connect_four --against mcts:1000 --games 100 --simulations 200 --json result.json",
    "muzero evaluate connect_four --positions benchmarks/data/connect_four_positions.csv --simulations 200",
    "muzero evaluate connect_four --player mcts:1000 --against mcts:100    # without any agent",
)


@dataclass(frozen=True)
class Arguments:
    """Measure an agent: matches with both seats counted equally (the default), or one of two exact tests."""

    agent: tyro.conf.Positional[str]
    """A game with a shipped agent, or the folder of a run or a checkpoint."""
    against: str | None = None
    """The opponent of a match: random (the default), mcts:N (OpenSpiel's MCTS, N simulations), perfect, or
    another agent's folder."""
    games: int = 100
    """Games of the match, half of them with the first move."""
    opening_plies: int | None = None
    """Random moves before each game, the same for both seats (default: 2 against another agent, else 0)."""
    simulations: tuple[int, ...] = ()
    """Simulations of each search (default: the agent's own; 0 = no search). Several for the exact tests."""
    seed: int = 0
    own_game: str | None = None
    """Trust this own game (FILE.py:Class) that the run was trained on: its Python code runs."""
    every_position: bool = False
    """Small games: in how many of all reachable positions does the chosen move lose value?"""
    positions: Path | None = None
    """CSV of positions with the score of every move: how often is the value kept?"""
    player: str | None = None
    """Measure this player (as in --against) in the game named first, instead of an agent."""
    json: Path | None = None
    """Also write the results here, with command, seed, versions and hardware."""


def run(argv: Sequence[str]) -> int:
    """Measure, print, and write the JSON."""
    arguments = parse(Arguments, argv, "muzero evaluate", EXAMPLES)
    check(arguments)
    check_players(arguments)
    agent = None if arguments.player is not None else load_agent(arguments.agent, arguments.own_game)
    from muzero.commands import measures

    subject = measures.Subject(
        game=game_spec(arguments.agent).name if agent is None else agent.spec.name,
        agent=agent,
        player_text=arguments.player or "",
        simulations=arguments.simulations or (None,),
        seed=arguments.seed,
    )
    if arguments.positions is not None:
        results = measures.known_positions(subject, arguments.positions)
    elif arguments.every_position:
        results = measures.every_position(subject)
    else:
        results = measures.match(subject, arguments.against, arguments.games, arguments.opening_plies)
    if arguments.json is not None:
        write_json(arguments.json, report(subject, argv, results))
    return OK


def check(arguments: Arguments) -> None:
    """Refuse what can't be measured, before anything is loaded."""
    if arguments.every_position and arguments.positions is not None:
        raise CommandError("--every-position and --positions are two tests: one of them wanted", USAGE)
    if arguments.positions is not None and not arguments.positions.is_file():
        raise CommandError(f"--positions: no file {arguments.positions}", USAGE)
    match = not arguments.every_position and arguments.positions is None
    if not match and (arguments.against is not None or arguments.opening_plies is not None):
        raise CommandError("--against and --opening-plies belong to a match, not to a test of positions", USAGE)
    if match and len(arguments.simulations) > 1:
        raise CommandError("a match takes one number of --simulations", USAGE)
    for number in arguments.simulations:
        in_bounds("--simulations", number, "search.simulations", low=0)
    in_bounds("--games", arguments.games, "selfplay.games", low=1)
    in_bounds("--opening-plies", arguments.opening_plies or 0, "selfplay.opening_plies")
    in_bounds("--seed", arguments.seed, "train.seed")
    target = arguments.json
    if target is not None and (target.is_dir() or not os.access(target.absolute().parent, os.W_OK)):
        raise CommandError(f"--json {target}: can't be written there", USAGE)


def check_players(arguments: Arguments) -> None:
    """Refuse an agent or opponent that can't be had, before anything is loaded."""
    named = arguments.player is not None
    game = game_spec(arguments.agent).name if named else stored_game(find_agent(arguments.agent))
    for option, text in (("--player", arguments.player), ("--against", arguments.against)):
        if text is not None:
            check_player(option, text, game)


def check_player(option: str, text: str, game: str) -> None:
    """Refuse a text that names no player of `game`. Raises CommandError (usage) with the nearest kind."""
    if text in ("random", "perfect") or (names_mcts(text) and not Path(text).exists()):
        return
    if text.partition(":")[0] == "mcts" and not Path(text).exists():
        raise CommandError(f"{option} {text!r}: wanted mcts:N with 1 to {MCTS_MOST:,} simulations", USAGE)
    near = nearest(text, ("random", "mcts", "perfect"))
    if near and not Path(text).exists():
        raise CommandError(f"{option} {text!r}: unknown{near} (or the path of a run)", USAGE)
    plays = stored_game(find_agent(text))
    if plays != game:
        raise CommandError(f"{option} {text} plays {plays}, not {game}", USAGE)


def stored_game(folder: Path) -> str:
    """Canonical name of the game an agent plays. Runs no code of an own game."""
    from muzero.checkpoint import read_config

    game = read_config(folder).game
    return game if is_own(game) else game_spec(game).name


def report(subject: Subject, argv: Sequence[str], results: dict[str, Any]) -> dict[str, Any]:
    """Everything that is needed to repeat the figures."""
    from muzero.commands.provenance import provenance

    agent = subject.agent
    return {
        **provenance(["evaluate", *argv]),
        "game": subject.game,
        "seed": subject.seed,
        "checkpoint": None if agent is None else {"agent": agent.name, "step": agent.step},
        **results,
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write results. Raises CommandError where the disk refuses."""
    try:
        path.write_text(json.dumps(_strict(content), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--json {path}: {error.strerror}") from error
    log(f"wrote {path}")


def _strict(value: Any) -> Any:
    """The same with null for NaN and infinity, which JSON doesn't have."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
