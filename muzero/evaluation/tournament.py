"""Tournaments: every player against every other, rated on one scale."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import games
from muzero.view.terminal import duration
from muzero.view.waiting import Say, silent
from selfplay.naming import PlayerName
from selfplay.players import Player
from selfplay.strength import tournament
from selfplay.strength.arena import move_limit
from selfplay.strength.tournament import Entrant, Meeting, Standings, standings

GAMES = 20
"""Games of each pairing unless told otherwise."""
OPENING_PLIES = 4
"""Random opening moves unless told otherwise: enough for twenty different games between two players without noise."""


@dataclass(frozen=True)
class Tournament:
    """A tournament as it is asked for."""

    game: str
    games: int = GAMES
    """of each pairing; even"""
    opening_plies: int = OPENING_PLIES
    """random moves before each game, the same for every pairing"""
    seed: int = 0
    max_moves: int = 0
    """of each game at most; 0: as `selfplay.strength.arena.move_limit` says"""

    @property
    def limit(self) -> int:
        """Moves after which a game is cut."""
        return move_limit(games.spec(self.game), self.max_moves)


@dataclass(frozen=True)
class Contender:
    """One player of a tournament, found but not loaded."""

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


@dataclass(frozen=True)
class Seat:
    """A contender that was loaded."""

    contender: Contender
    label: str
    """a name as short as it can be told from the others"""
    make: Callable[[int], Player]
    """seed -> player"""


@dataclass(frozen=True)
class TournamentReport:
    """What was played, and what follows from it."""

    asked: Tournament
    contenders: Sequence[Contender]
    labels: Sequence[str]
    """of each contender"""
    meetings: Sequence[Meeting]
    standings: Standings
    interrupted: bool
    """whether Ctrl-C came before the last meeting"""
    left_out: Sequence[dict[str, str]] = field(default_factory=tuple)
    """players that could not be read, with the reason"""


def hold(asked: Tournament, seats: Sequence[Seat], left_out: Sequence[dict[str, str]] = (), say: Say = silent
         ) -> TournamentReport | None:
    """Play every pairing and rate the players; None where Ctrl-C came before the first meeting was over.

    `random` is the zero of the ratings where it plays, else the first player. Raises GameError as
    `selfplay.strength.tournament.play`.
    """
    meetings, interrupted = _play(asked, [Entrant(seat.label, seat.make) for seat in seats], say)
    if not meetings:
        return None
    anchor = next((number for number, seat in enumerate(seats) if seat.contender.said.kind == "random"), 0)
    return TournamentReport(
        asked, [seat.contender for seat in seats], [seat.label for seat in seats], meetings,
        standings(meetings, anchor, asked.seed), interrupted, left_out)


def _play(asked: Tournament, entrants: Sequence[Entrant], say: Say) -> tuple[list[Meeting], bool]:
    """The meetings, with a line for each as it ends, and whether Ctrl-C came before the last one."""
    total = len(entrants) * (len(entrants) - 1) // 2
    say(f"{len(entrants)} players, {total} pairing{'s' * (total > 1)} of {asked.games} games; "
        "Ctrl-C rates what has been played")
    meetings: list[Meeting] = []
    start = time.monotonic()
    try:
        for meeting in tournament.play(
            asked.game, entrants, asked.games, asked.seed, asked.opening_plies, asked.max_moves
        ):
            meetings.append(meeting)
            score, done = meeting.total, len(meetings)
            passed = time.monotonic() - start
            left = f"; about {duration(passed / done * (total - done))} left" if done < total else ""
            say(f"{done} of {total}: {entrants[meeting.first].name} against {entrants[meeting.second].name}: "
                f"{score.wins} won, {score.draws} drawn, {score.losses} lost{left}")
    except KeyboardInterrupt:
        say(f"\ninterrupted after {len(meetings)} of {total} pairings")
        return meetings, True
    return meetings, False
