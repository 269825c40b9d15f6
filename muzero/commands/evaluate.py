"""`muzero evaluate GAME`: matches, tournaments, every position of a solved game, or positions with known scores."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from games.own_names import is_own
from muzero.commands.arguments import QUIET, Maybe, find_agent, game_spec, in_bounds, load_agent, parse
from muzero.commands.players import check_player, named_simulations, stored_game
from muzero.view.console import OK, USAGE, CommandError

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject

EXAMPLES = (
    "muzero evaluate tic_tac_toe --against perfect --games 200",
    "muzero evaluate tic_tac_toe --every-position --simulations 25 100",
    "muzero evaluate connect_four --against mcts:1000 --games 100 --simulations 200 --json result.json",
    "muzero evaluate connect_four --positions benchmarks/data/connect_four_positions.csv --simulations 200",
    "muzero evaluate connect_four --player mcts:1000 --against mcts:100    # without any agent",
    "muzero evaluate connect_four --tournament random mcts:100 connect_four@0 connect_four@200",
    "muzero evaluate connect_four --tournament checkpoints/runs/connect_four/snapshots random --games 40",
    "muzero evaluate checkpoints/runs/atari_pong --episodes 100 --video pong.mp4",
    "muzero evaluate atari/pong --player random --episodes 30",
    "muzero evaluate --suite checkpoints/runs/atari_*            # measured runs as one number",
)

GAMES = 100
"""Games of a match unless told otherwise."""


@dataclass(frozen=True)
class Arguments:
    """Measure an agent: matches with both seats counted equally (the default for two players), whole games of one
    player (--episodes), a tournament, one of two exact tests, or measured runs as one number (--suite)."""

    agent: tyro.conf.Positional[str]
    """A game with a shipped agent, or the folder of a run or a checkpoint; AGENT@N as with --simulations N."""
    against: Maybe[str] = None
    """The opponent of a match: random (the default), mcts:N (OpenSpiel's MCTS, N simulations), perfect, or
    another agent's folder."""
    episodes: Maybe[int] = None
    """Whole games of a game of one player (default: 100), whose returns are measured. Saved in the folder of a run too,
    for --suite (`muzero evaluate --suite --help`)."""
    video: Maybe[Path] = None
    """Film one game of a game seen in pixels here, .mp4 or .gif, with the agent's value and policy beside the frames;
    nothing else is measured without --episodes."""
    games: Maybe[int] = None
    """Games of the match (default: 100), or of each pairing of a tournament (default: 20); half of them with the first
    move."""
    opening_plies: Maybe[int] = None
    """Random moves before each game, the same for both seats (default: 4 in a tournament, 2 against another agent,
    else 0)."""
    simulations: Annotated[tuple[int, ...], QUIET] = ()
    """Simulations of each search (default: the agent's own; 0 = no search). Several for the exact tests, which
    always measure an agent without search too."""
    noise: Maybe[float] = None
    """How much chance there is in the agent's moves: Gumbel's noise, or Dirichlet's share of the prior, at the root of
    each search (default: the agent's own; 0: none)."""
    seed: int = 0
    own_game: Maybe[str] = None
    """Trust this own game (FILE.py:Class) that the run was trained on: its Python code runs."""
    every_position: bool = False
    """Small games: in how many of all reachable positions does the chosen move lose value?"""
    positions: Maybe[Path] = None
    """CSV of positions with the score of every move (columns: docs/guides/evaluate.md): how often is the value kept?"""
    player: Maybe[str] = None
    """Measure this player (as in --against) in the game named first, instead of an agent."""
    tournament: Maybe[tuple[str, ...]] = None
    """Rate these players of the game named first, each against each: runs, checkpoints, agents, random, mcts:N,
    perfect; RUN/snapshots stands for all of a run's snapshots. AGENT@N searches with N simulations (0: none)."""
    max_moves: Maybe[int] = None
    """Moves after which a game is cut, counting with what it has been paid by then (default: the game's own limit;
    3,000 where it has none). How many were cut is told."""
    skip_unreadable: bool = False
    """In a tournament, leave out agents that can't be read."""
    json: Maybe[Path] = None
    """Also write the results here, with command, seed, versions and hardware."""


def run(argv: Sequence[str]) -> int:
    """Measure, print, and write the JSON."""
    if "--suite" in argv:
        from muzero.commands import suite

        return suite.run(argv)
    arguments = parse(Arguments, argv, "muzero evaluate", EXAMPLES)
    check(arguments)
    if arguments.tournament is not None:
        return hold_tournament(arguments, arguments.tournament, argv)
    if arguments.player is None:
        name, own = named_simulations(arguments.agent, bool(arguments.simulations))
        simulations = arguments.simulations if own is None else (own,)
        arguments = dataclasses.replace(arguments, agent=name, simulations=simulations)
    check_players(arguments)
    agent = None if arguments.player is not None else load_agent(
        arguments.agent, arguments.own_game, arguments.noise)
    from muzero.commands import video
    from muzero.evaluation import episodes, exact_tests, matches
    from muzero.evaluation.subject import Subject

    subject = Subject(
        game=game_spec(arguments.agent).name if agent is None else agent.spec.name,
        agent=agent,
        player_text=arguments.player or "",
        simulations=tuple(dict.fromkeys(arguments.simulations)) or (None,),
        seed=arguments.seed,
    )
    filmed: dict[str, Any] = {}
    most = arguments.max_moves or 0
    if arguments.video is not None and agent is not None:
        filmed = video.record(agent, arguments.video, arguments.seed, subject.simulations[0], most)
        if arguments.episodes is None:
            write(arguments, report(subject, argv, filmed))
            return OK
    if arguments.positions is not None:
        results = exact_tests.known_positions(subject, arguments.positions)
    elif arguments.every_position:
        results = exact_tests.every_position(subject)
    elif game_spec(subject.game).players == 1:
        count = arguments.episodes or arguments.games or GAMES
        results = episodes.episodes(subject, arguments.against, count, arguments.opening_plies, most)
    else:
        results = matches.match(subject, arguments.against, arguments.games or GAMES, arguments.opening_plies, most)
    content = report(subject, argv, results)
    write(arguments, {**content, **filmed})
    if agent is not None and "returns" in results:
        episodes.keep(arguments.agent, content)
    return OK


def write(arguments: Arguments, content: dict[str, Any]) -> None:
    """The JSON where --json says."""
    from muzero.evaluation.provenance import write_json

    if arguments.json is not None:
        write_json(arguments.json, content)


def hold_tournament(arguments: Arguments, players: tuple[str, ...], argv: Sequence[str]) -> int:
    """Play a tournament instead of measuring one agent. Raises CommandError for options that belong elsewhere."""
    from muzero.commands import tournament

    for name in ("against", "player", "own_game", "every_position", "positions", "noise"):
        given = getattr(arguments, name)
        if given is not None and given is not False:
            raise CommandError(f"--{name.replace('_', '-')} has no place in a tournament: players are named after "
                               "--tournament, the game comes first", USAGE)
    plies = tournament.OPENING_PLIES if arguments.opening_plies is None else arguments.opening_plies
    wanted = tournament.Wanted(
        game=arguments.agent, players=players, games=arguments.games or tournament.GAMES, opening_plies=plies,
        simulations=arguments.simulations[0] if arguments.simulations else None, seed=arguments.seed,
        skip_unreadable=arguments.skip_unreadable, json=arguments.json, max_moves=arguments.max_moves or 0,
    )
    return tournament.run(wanted, argv)


def check(arguments: Arguments) -> None:
    """Refuse what can't be measured, before anything is loaded."""
    if arguments.every_position and arguments.positions is not None:
        raise CommandError("--every-position and --positions are two tests: one of them wanted", USAGE)
    if arguments.positions is not None and not arguments.positions.is_file():
        found = "is a folder, a file wanted" if arguments.positions.is_dir() else "is not there"
        raise CommandError(f"--positions: {arguments.positions} {found}", USAGE)
    if arguments.skip_unreadable and arguments.tournament is None:
        raise CommandError("--skip-unreadable belongs to a --tournament", USAGE)
    match = not arguments.every_position and arguments.positions is None
    of_games = (arguments.against, arguments.games, arguments.opening_plies, arguments.max_moves)
    if not match and any(asked is not None for asked in of_games):
        raise CommandError("--against, --games, --opening-plies and --max-moves belong to games, not to a test of "
                           "positions", USAGE)
    if match and len(arguments.simulations) > 1:
        raise CommandError("a match or tournament takes one number of --simulations", USAGE)
    for number in arguments.simulations:
        in_bounds("--simulations", number, "search.simulations", low=0)
    if arguments.noise is not None:
        in_bounds("--noise", arguments.noise, "search.dirichlet_fraction")
        if arguments.player is not None:
            raise CommandError("--noise is that of an agent's searches: no --player", USAGE)
    if arguments.episodes is not None:
        in_bounds("--episodes", arguments.episodes, "selfplay.games", low=1)
        if not match or arguments.games is not None:
            raise CommandError("--episodes measures whole games of one player: no other test, and no --games", USAGE)
    if arguments.video is not None:
        from muzero.commands import video

        video.check(arguments.video)
        if not match or arguments.player is not None or arguments.against is not None:
            raise CommandError("--video films an agent's own game: no other test, player or opponent", USAGE)
    in_bounds("--games", GAMES if arguments.games is None else arguments.games, "selfplay.games", low=1)
    in_bounds("--max-moves", 1 if arguments.max_moves is None else arguments.max_moves, "selfplay.max_moves", low=1)
    in_bounds("--opening-plies", arguments.opening_plies or 0, "selfplay.opening_plies")
    in_bounds("--seed", arguments.seed, "train.seed")
    target = arguments.json
    if target is not None and (target.is_dir() or not os.access(target.absolute().parent, os.W_OK)):
        raise CommandError(f"--json {target}: can't be written there", USAGE)


def check_players(arguments: Arguments) -> None:
    """Refuse an agent or opponent that can't be had, before anything is loaded."""
    named = arguments.player is not None
    game = game_spec(arguments.agent).name if named else stored_game(find_agent(arguments.agent))
    if arguments.games is not None and arguments.games % 2 and not is_own(game) and game_spec(game).players == 2:
        raise CommandError(f"--games: an even number wanted, the same for both seats; got {arguments.games}", USAGE)
    if arguments.episodes is not None and not is_own(game) and game_spec(game).players == 2:
        raise CommandError(f"--episodes: {game} has two players; --games counts those of a match", USAGE)
    said = None if arguments.player is None else check_player("--player", arguments.player, game)
    if arguments.against is not None:
        check_player("--against", arguments.against, game)
    if said is not None and said.kind == "agent" and said.simulations is not None and arguments.simulations:
        raise CommandError(f"--player {arguments.player} has its own number of simulations: no --simulations", USAGE)


def report(subject: Subject, argv: Sequence[str], results: dict[str, Any]) -> dict[str, Any]:
    """Everything that is needed to repeat the figures."""
    from muzero.evaluation.provenance import provenance

    agent, asked = subject.agent, subject.simulations[0]
    return {
        **provenance(["evaluate", *argv]),
        "game": subject.game,
        "seed": subject.seed,
        "checkpoint": None if agent is None else {
            "agent": agent.name, "step": agent.step, "training_seed": agent.config.train.seed,
            "simulations": agent.simulations if asked is None else asked,
            "noise": 0.0 if asked == 0 else agent.config.play.noise},
        **results,
    }
