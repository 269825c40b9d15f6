"""Round-robin tournaments with Elo ratings."""

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
"""Default number of games per pairing."""
OPENING_PLIES = 4
"""Default number of random opening moves: enough for twenty distinct games between two players without noise."""


@dataclass(frozen=True)
class Tournament:
    """A requested tournament."""

    game: str
    games: int = GAMES
    """per pairing; even"""
    opening_plies: int = OPENING_PLIES
    """random moves before each game, the same for every pairing"""
    seed: int = 0
    max_moves: int = 0
    """per game; 0: see `selfplay.strength.arena.move_limit`"""

    @property
    def limit(self) -> int:
        """Moves after which a game is cut off."""
        return move_limit(games.spec(self.game), self.max_moves)


@dataclass(frozen=True)
class Contender:
    """One player of a tournament, found but not loaded."""

    text: str
    """the name given, or a snapshot in the folder named"""
    said: PlayerName
    """the name, parsed"""
    folder: Path | None = None
    """for a trained agent"""
    step: int | None = None
    """its learning steps"""
    simulations: int | None = None
    """for a trained agent"""

    @property
    def key(self) -> tuple[str, int | None]:
        """Equal for two names of the same player."""
        if self.folder is not None:
            return str(self.folder.resolve()), self.simulations
        return self.said.kind, self.said.simulations


@dataclass(frozen=True)
class Seat:
    """A loaded contender."""

    contender: Contender
    label: str
    """the shortest distinct name"""
    make: Callable[[int], Player]
    """seed -> player"""


@dataclass(frozen=True)
class TournamentReport:
    """Results and ratings."""

    asked: Tournament
    contenders: Sequence[Contender]
    labels: Sequence[str]
    """of each contender"""
    meetings: Sequence[Meeting]
    standings: Standings
    interrupted: bool
    """whether Ctrl-C stopped it before the last meeting"""
    left_out: Sequence[dict[str, str]] = field(default_factory=tuple)
    """players that couldn't be loaded, with the reason"""


def hold(asked: Tournament, seats: Sequence[Seat], left_out: Sequence[dict[str, str]] = (), say: Say = silent
         ) -> TournamentReport | None:
    """Play every pairing and rate the players; None if Ctrl-C came before the first meeting was over.

    The zero of the ratings is `random` if it plays, else the first player. Raises the GameErrors of
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
    """The meetings, with a line printed for each, and whether Ctrl-C came before the last one."""
    total = len(entrants) * (len(entrants) - 1) // 2
    say(f"{len(entrants)} players, {total} pairing{'s' * (total > 1)} of {asked.games} games; "
        "after Ctrl-C, the games played so far are rated")
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
