"""`muzero evaluate GAME --tournament PLAYER PLAYER ...`: who is there, the games, and the JSON."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from games.base import GameError
from muzero.commands.arguments import find_agent, game_spec
from muzero.commands.players import check_player, short_names
from muzero.storage.disk import CheckpointError, Damaged
from muzero.view.console import DAMAGED, FAILURE, INTERRUPTED, OK, USAGE, CommandError, log, quoted
from muzero.view.terminal import duration
from selfplay.naming import AT, PlayerName

if TYPE_CHECKING:
    from selfplay.strength.ratings import Difference
    from selfplay.strength.tournament import Entrant, Meeting, Standings

GAMES = 20
"""Games of each pairing unless told otherwise."""
OPENING_PLIES = 4
"""Random opening moves unless told otherwise: enough for twenty different games between two players without noise."""
OPTION = "--tournament"


@dataclass(frozen=True)
class Wanted:
    """A tournament as it was asked for."""

    game: str
    players: tuple[str, ...]
    games: int
    opening_plies: int
    simulations: int | None
    """of agents that name none; None = each agent's own"""
    seed: int
    skip_unreadable: bool
    json: Path | None
    max_moves: int = 0
    """after which a game is cut; 0 = as `selfplay.strength.arena.move_limit` says"""


@dataclass(frozen=True)
class Named:
    """One player, found but not loaded."""

    text: str
    """as it was named, or one of the snapshots of a folder that was named"""
    said: PlayerName
    """what the text says"""
    folder: Path | None = None
    """of a trained agent"""
    step: int | None = None
    """learning steps behind it"""
    simulations: int | None = None
    """of a trained agent"""

    @property
    def key(self) -> tuple[str, int | None]:
        """Equal for two names of one player."""
        if self.folder is not None:
            return str(self.folder.resolve()), self.simulations
        return self.said.kind, self.said.simulations


@dataclass
class Field:
    """Those who play, and those who can't."""

    named: list[Named] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def leave_out(self, wanted: Wanted, text: str, error: Exception) -> None:
        """Note an agent that can't be read. Raises CommandError unless such are to be skipped."""
        if not wanted.skip_unreadable:
            code = error.code if isinstance(error, CommandError) else FAILURE
            code = DAMAGED if isinstance(error, Damaged) else code
            raise CommandError(f"{text} can't play, nothing was played: {error}\n"
                               "  leave it out, or play without such players by --skip-unreadable", code) from error
        log(f"left out: {text} ({error})")
        self.skipped.append({"player": text, "reason": str(error)})


def run(wanted: Wanted, argv: Sequence[str]) -> int:
    """Play, print, write the JSON. Gives 130 when Ctrl-C ended it, after the ratings of what had been played."""
    game = check(wanted)
    found = find(wanted, game)
    entrants = load(wanted, game, found)
    labels = [entrant.name for entrant in entrants]
    meetings, interrupted = play(wanted, game, entrants)
    if not meetings:
        log("stopped before the first pairing was over: too little was played to rate anybody")
        return INTERRUPTED
    from muzero.evaluation import standings as shown
    from selfplay.strength.arena import move_limit
    from selfplay.strength.tournament import standings

    anchor = next((number for number, named in enumerate(found.named) if named.text == "random"), 0)
    table = standings(meetings, anchor, wanted.seed)
    if wanted.json is not None:
        from muzero.evaluation.provenance import provenance, write_json

        facts = {**provenance(["evaluate", *argv]), "game": game, "seed": wanted.seed}
        write_json(wanted.json, {**facts, **as_json(wanted, found, labels, meetings, table, interrupted)})
    header = shown.Header(game, wanted.games, wanted.opening_plies, wanted.seed,
                          move_limit(game_spec(game), wanted.max_moves))
    shown.show(header, labels, meetings, table)
    return INTERRUPTED if interrupted else OK


def check(wanted: Wanted) -> str:
    """The game's canonical name. Raises CommandError for a tournament that can't be played in it."""
    if os.sep in wanted.game and Path(wanted.game).is_dir():
        raise CommandError(f"{wanted.game}: a tournament begins with the game's name, the players follow "
                           f"{OPTION}: muzero evaluate GAME {OPTION} {quoted(wanted.game)} ...", USAGE)
    game = game_spec(wanted.game).name
    from selfplay.strength.tournament import check_game

    try:
        check_game(game)
    except GameError as error:
        raise CommandError(f"{OPTION}: {error}", USAGE) from error
    if wanted.games % 2:
        raise CommandError(f"--games: an even number wanted, the same for both seats; got {wanted.games}", USAGE)
    return game


def find(wanted: Wanted, game: str) -> Field:
    """Everybody who is named, each once. Loads nothing. Raises CommandError."""
    found = Field()
    for text in (one for named in wanted.players for one in snapshots_of(named)):
        try:
            player = locate(text, check_player(OPTION, text, game), wanted.simulations)
        except CheckpointError as error:
            found.leave_out(wanted, text, error)
            continue
        except CommandError as error:
            if not isinstance(error.__cause__, CheckpointError):
                raise
            found.leave_out(wanted, text, error)
            continue
        twin = next((other for other in found.named if other.key == player.key), None)
        if twin is not None:
            also = "" if twin.text == text else f" (as {twin.text})"
            raise CommandError(f"{OPTION} {text}: named twice{also}; an agent may play as two with other numbers of "
                               "simulations, AGENT@N", USAGE)
        found.named.append(player)
    check_enough(found)
    return found


def check_enough(found: Field) -> None:
    """Raise CommandError for a tournament of fewer than two."""
    if len(found.named) < 2:
        left = f", {len(found.skipped)} left out" if found.skipped else ""
        raise CommandError(f"{OPTION}: at least 2 players wanted, got {len(found.named)}{left} "
                           "(runs, agents, random, mcts:N, perfect)", USAGE)


def snapshots_of(text: str) -> list[str]:
    """All snapshots of a run for `RUN/snapshots` and `RUN/snapshots@N`, oldest first; else the text alone."""
    from muzero.players import split_simulations
    from muzero.storage import disk, runs

    try:
        name, simulations = split_simulations(text)
    except GameError:
        return [text]
    folder = disk.named(name)
    if folder.name != runs.SNAPSHOTS or not disk.is_folder(folder):
        return [text]
    found = runs.snapshots(folder.parent)
    if not found:
        raise CommandError(f"{OPTION} {text}: no snapshots in it yet; a run writes them with "
                           "--train.snapshot-minutes M", USAGE)
    return [str(path) + ("" if simulations is None else f"{AT}{simulations}") for path in found]


def locate(text: str, said: PlayerName, simulations: int | None) -> Named:
    """The player that a text names. A run is the checkpoint that is its newest now, whatever comes later."""
    from muzero.storage import checkpoint

    if said.kind != "agent":
        return Named(text, said)
    folder = find_agent(said.agent)
    stored = checkpoint.load(folder, ())
    wanted = simulations if said.simulations is None else said.simulations
    return Named(text, said, folder, stored.step, stored.config.play.simulations if wanted is None else wanted)


def load(wanted: Wanted, game: str, found: Field) -> list[Entrant]:
    """All players, ready to be made; those that can't be loaded leave `found`. Raises CommandError."""
    from muzero.device.allocator import keep_freed_blocks
    from muzero.players import maker
    from selfplay.strength.perfect import PerfectPlayer
    from selfplay.strength.tournament import Entrant

    keep_freed_blocks()
    makers = []
    for named in tuple(found.named):
        try:
            make = maker(named.text if named.folder is None else str(named.folder), game, named.simulations)
            if isinstance(player := make(0), PerfectPlayer):
                player.solve_start()
            makers.append(make)
        except CheckpointError as error:
            found.named.remove(named)
            found.leave_out(wanted, named.text, error)
        except GameError as error:
            raise CommandError(f"{OPTION} {named.text}: {error}", USAGE) from error
    check_enough(found)
    paths = {named: named.said.agent or named.text for named in found.named}
    short = short_names(paths.values())
    labels = [short[path] + ("" if named.folder is None else f"{AT}{named.simulations}")
              for named, path in paths.items()]
    return [Entrant(label, make) for label, make in zip(labels, makers, strict=True)]


def play(wanted: Wanted, game: str, entrants: Sequence[Entrant]) -> tuple[list[Meeting], bool]:
    """The meetings, with a line for each as it ends, and whether Ctrl-C came before the last one."""
    from selfplay.strength import tournament

    total = len(entrants) * (len(entrants) - 1) // 2
    log(f"{len(entrants)} players, {total} pairing{'s' * (total > 1)} of {wanted.games} games; "
        "Ctrl-C rates what has been played")
    meetings: list[Meeting] = []
    start = time.monotonic()
    try:
        for meeting in tournament.play(
            game, entrants, wanted.games, wanted.seed, wanted.opening_plies, wanted.max_moves
        ):
            meetings.append(meeting)
            score, done = meeting.total, len(meetings)
            passed = time.monotonic() - start
            left = f"; about {duration(passed / done * (total - done))} left" if done < total else ""
            log(f"{done} of {total}: {entrants[meeting.first].name} against {entrants[meeting.second].name}: "
                f"{score.wins} won, {score.draws} drawn, {score.losses} lost{left}")
    except KeyboardInterrupt:
        log(f"\ninterrupted after {len(meetings)} of {total} pairings")
        return meetings, True
    return meetings, False


def as_json(
    wanted: Wanted, found: Field, labels: Sequence[str], meetings: Sequence[Meeting], table: Standings,
    interrupted: bool,
) -> dict[str, Any]:
    """All results and what follows from them; an open end of an interval is null."""
    from selfplay.strength.arena import move_limit
    from selfplay.strength.ratings import END_PAIRS, PRIOR_DRAWS, RESAMPLES

    return {
        "protocol": f"round robin, {wanted.games} games a pairing in pairs with seats swapped, {wanted.opening_plies} "
                    "random opening plies, the same openings for every pairing",
        "openings": {"seed": wanted.seed, "plies": wanted.opening_plies},
        "max_moves": move_limit(game_spec(wanted.game), wanted.max_moves),
        "cut": sum(meeting.cut for meeting in meetings),
        "rating": {"model": "Bradley-Terry, Elo units, draws as half wins", "anchor": labels[table.anchor],
                   "virtual_draws_a_player": PRIOR_DRAWS, "resamples": RESAMPLES,
                   "pairs_added_to_each_end": END_PAIRS},
        "interrupted": interrupted,
        "left_out": found.skipped,
        "players": [_player_json(found.named[number], labels[number], number, table) for number in table.order],
        "neighbours": [
            {"stronger": labels[upper], "weaker": labels[lower], **difference_json(table.difference(upper, lower))}
            for upper, lower in zip(table.order, table.order[1:], strict=False)
        ],
        "pairings": [{**dataclasses.asdict(meeting), "first": labels[meeting.first], "second": labels[meeting.second],
                      "total": dataclasses.asdict(meeting.total)} for meeting in meetings],
    }


def _player_json(named: Named, label: str, number: int, table: Standings) -> dict[str, Any]:
    score = table.scores[number]
    return {
        "name": label, "player": named.text, "folder": None if named.folder is None else str(named.folder),
        "step": named.step, "simulations": named.simulations, **difference_json(table.rating(number)),
        "games": score.games, **dataclasses.asdict(score), "score": score.share,
    }


def difference_json(difference: Difference) -> dict[str, Any]:
    """Value and interval as JSON values."""
    ends = [end if math.isfinite(end) else None for end in (difference.low, difference.high)]
    return {"elo": difference.value, "interval_95": ends}
