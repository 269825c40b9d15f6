"""Matches of two players: results by seat, and value lost against perfect play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from games.exact import Exact
from muzero.evaluation.progress import Announced, solve_aloud
from muzero.players import SearchPlayer, parse
from muzero.view.waiting import Say, silent
from selfplay.strength.arena import MatchResult, PairedGames, play_pairs, summary
from selfplay.strength.perfect import Lapse, PerfectPlayer, first_lapses

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject
    from selfplay.players import Player

GAMES = 100
"""Default number of games of a match."""
AGENT_OPENINGS = 2
"""Random opening moves between two agents: without noise they would repeat the same game."""


@dataclass(frozen=True)
class Match:
    """A requested match."""

    against: str = "random"
    """the opponent's name"""
    games: int = GAMES
    """even: the player moves first in half of them"""
    opening_plies: int | None = None
    """random moves before each game; None: depends on the players"""
    max_moves: int = 0
    """per game; 0: see `selfplay.strength.arena.move_limit`"""


@dataclass(frozen=True)
class LostValue:
    """The games from one seat in which the measured player got less than the value of the start."""

    value: float
    """exact value of the start for this seat: 1 win, 0 draw, -1 loss"""
    games: int
    """games from this seat"""
    lapses: tuple[Lapse, ...]
    """the first move that lost value in each such game"""

    @property
    def counted(self) -> list[tuple[Lapse, int]]:
        """Each distinct lapse with the number of games it occurred in, most frequent first."""
        return Counter(self.lapses).most_common()


@dataclass(frozen=True)
class MatchReport:
    """A match of the measured player against an opponent."""

    result: MatchResult
    value_lost: Mapping[str, LostValue] = field(default_factory=dict)
    """by seat, `moving_first` and `moving_second`; empty unless the opponent is perfect, games start without random
    openings, and the game ends in a win, a draw or a loss"""


def match(subject: Subject, asked: Match, say: Say = silent) -> MatchReport:
    """Play a match. Raises GameError for a one-player game, an odd number of games, random openings in a game with
    chance, and whatever `muzero.players.parse` refuses."""
    player = subject.player(subject.simulations[0])
    opponent = parse(asked.against, subject.game, subject.seed + 1, subject.simulations[0])
    plies = _plies(subject, player, opponent) if asked.opening_plies is None else asked.opening_plies
    solver = opponent.solver if isinstance(opponent, PerfectPlayer) else None
    if solver is not None:
        solve_aloud(solver, say)
    say(f"playing {asked.games} games ...")
    seed, limit = subject.seed, asked.max_moves
    watched = Announced(player, say, asked.games)
    played = play_pairs(subject.game, watched, opponent, asked.games, seed, plies, limit)
    result = summary(played, subject.game, (player.name, opponent.name), seed, plies, limit)
    return MatchReport(result, {} if solver is None or plies or not solver.timed else _value_lost(played, solver))


def _plies(subject: Subject, player: Player, opponent: Player) -> int:
    """Default number of random opening moves for two players."""
    two_agents = isinstance(player, SearchPlayer) and isinstance(opponent, SearchPlayer)
    return AGENT_OPENINGS if two_agents and not subject.spec.stochastic else 0


def _value_lost(played: PairedGames, solver: Exact) -> dict[str, LostValue]:
    """Value lost, by seat. It can't be regained, as the opponent plays perfectly."""
    value = solver.value(solver.new_state())
    return {
        "moving_first": LostValue(value, played.moving_first.games,
                                  tuple(first_lapses(played.moves[0::2], True, solver))),
        "moving_second": LostValue(0.0 - value, played.moving_second.games,
                                   tuple(first_lapses(played.moves[1::2], False, solver))),
    }
