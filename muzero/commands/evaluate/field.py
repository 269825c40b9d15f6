"""The players of a tournament: finds those named, without duplicates, and loads them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from games.base import GameError
from muzero.commands.arguments import find_agent, game_spec
from muzero.commands.players import check_player, short_names
from muzero.storage.disk import CheckpointError, Damaged
from muzero.view.console import FAILURE, USAGE, CommandError, log, quoted
from selfplay.naming import AT, UNTRAINED, PlayerName

if TYPE_CHECKING:
    from muzero.evaluation.tournament import Contender, Seat

WHERE = "tournament"
"""Prefix of error messages."""


@dataclass
class Field:
    """The players, and those left out."""

    skip_unreadable: bool
    contenders: list[Contender] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def leave_out(self, text: str, error: Exception) -> None:
        """Record an unreadable agent. Raises CommandError unless unreadable agents are to be skipped."""
        if not self.skip_unreadable:
            code = error.exit_code if isinstance(error, (CommandError, Damaged)) else FAILURE
            raise CommandError(f"{text} can't be loaded, so nothing was played: {error}\n"
                               "  leave it out, or skip such players with --skip-unreadable", code) from error
        log(f"left out: {text} ({error})")
        self.skipped.append({"player": text, "reason": str(error)})

    def add(self, contender: Contender) -> None:
        """Add a player. Raises CommandError (usage) for a duplicate."""
        twin = next((other for other in self.contenders if other.key == contender.key), None)
        if twin is not None:
            also = "" if twin.text == contender.text else f" (as {twin.text})"
            raise CommandError(f"{WHERE}: {contender.text} is named twice{also}; to enter an agent twice, give it "
                               "different numbers of simulations, AGENT@N", USAGE)
        self.contenders.append(contender)

    def check_enough(self) -> None:
        """Raise CommandError (usage) for fewer than two players."""
        if len(self.contenders) < 2:
            left = f", {len(self.skipped)} left out" if self.skipped else ""
            raise CommandError(f"{WHERE}: expected at least 2 players, got {len(self.contenders)}{left} "
                               "(runs, agents, random, mcts:N, perfect)", USAGE)


def check_game(name: str) -> str:
    """The game's canonical name. Raises CommandError (usage) for a game that can't have tournaments."""
    if (os.sep in name and Path(name).is_dir()) or name.partition(":")[0] in UNTRAINED:
        raise CommandError(f"{name}: expected the game first, then the players: "
                           f"muzero evaluate tournament GAME {quoted(name)} ...", USAGE)
    game = game_spec(name).name
    from selfplay.strength.tournament import check_game as refuse

    try:
        refuse(game)
    except GameError as error:
        raise CommandError(f"{WHERE}: {error}", USAGE) from error
    return game


def find(players: Sequence[str], game: str, simulations: int | None, skip_unreadable: bool) -> Field:
    """All named players, each once. Loads nothing. Raises CommandError.

    simulations: for agents named without @N; None: each agent's default.
    """
    found = Field(skip_unreadable)
    for text in (one for named in players for one in snapshots_of(named)):
        try:
            contender = locate(text, check_player(WHERE, text, game), simulations)
        except CheckpointError as error:
            found.leave_out(text, error)
            continue
        except CommandError as error:
            if not isinstance(error.__cause__, CheckpointError):
                raise
            found.leave_out(text, error)
            continue
        found.add(contender)
    found.check_enough()
    return found


def snapshots_of(text: str) -> list[str]:
    """All snapshots of a run for `RUN/snapshots` and `RUN/snapshots@N`, oldest first; otherwise just the text."""
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
        raise CommandError(f"{WHERE}: {text}: expected snapshots, found none; a run writes them with "
                           "--train.snapshot-minutes M", USAGE)
    return [str(path) + ("" if simulations is None else f"{AT}{simulations}") for path in found]


def locate(text: str, said: PlayerName, simulations: int | None) -> Contender:
    """The player that a text names. A run stands for its newest checkpoint at this moment."""
    from muzero.evaluation.tournament import Contender
    from muzero.storage import checkpoint

    if said.kind != "agent":
        return Contender(text, said)
    folder = find_agent(said.agent)
    stored = checkpoint.load(folder, ())
    number = simulations if said.simulations is None else said.simulations
    return Contender(text, said, folder, stored.step, stored.config.play.simulations if number is None else number)


def load(found: Field, game: str) -> list[Seat]:
    """All players, loaded; those that can't be loaded are left out. Raises CommandError."""
    from muzero.device.allocator import keep_freed_blocks
    from muzero.evaluation.tournament import Seat
    from muzero.players import maker
    from selfplay.strength.perfect import PerfectPlayer

    keep_freed_blocks()
    makers = []
    for one in tuple(found.contenders):
        try:
            make = maker(one.text if one.folder is None else str(one.folder), game, one.simulations)
            if isinstance(player := make(0), PerfectPlayer):
                player.solve_start()
            makers.append(make)
        except CheckpointError as error:
            found.contenders.remove(one)
            found.leave_out(one.text, error)
        except GameError as error:
            raise CommandError(f"{WHERE}: {one.text}: {error}", USAGE) from error
    found.check_enough()
    labels = labels_of(found.contenders)
    return [Seat(one, label, make) for one, label, make in zip(found.contenders, labels, makers, strict=True)]


def labels_of(contenders: Sequence[Contender]) -> list[str]:
    """The shortest distinct names, with each agent's number of simulations."""
    paths = [one.said.agent or one.text for one in contenders]
    short = short_names(paths)
    return [short[path] + ("" if one.folder is None else f"{AT}{one.simulations}")
            for one, path in zip(contenders, paths, strict=True)]
