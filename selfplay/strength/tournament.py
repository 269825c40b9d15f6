"""Round-robin tournaments: every pair of players plays the same openings from both seats; all are rated together.

Letters: n entrants, P pairs of games in a meeting (the games of two entrants).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from games import spec
from games.base import GameError
from selfplay.players import Player
from selfplay.strength.arena import Score, play_pairs
from selfplay.strength.ratings import Difference, Pairing, Ratings, rate


@dataclass(frozen=True)
class Entrant:
    """A player in a tournament, created afresh for each meeting: no result depends on earlier games."""

    name: str
    make: Callable[[int], Player]
    """seed -> player"""


@dataclass(frozen=True)
class Meeting:
    """All games of two entrants, from the view of the first."""

    first: int
    second: int
    points: tuple[float, ...]
    """[P] 0 to 2 for each pair of games with one opening"""
    moving_first: Score
    moving_second: Score
    different: int
    """Distinct move sequences among the games."""
    mean_length: float
    """Moves per game, opening moves included."""
    cut: int = 0
    """Games that were cut off at the move limit; they count with their returns so far."""

    @property
    def total(self) -> Score:
        return self.moving_first + self.moving_second

    def seen_by(self, entrant: int) -> Score:
        """The score of one of the two."""
        total = self.total
        return total if entrant == self.first else Score(total.losses, total.draws, total.wins)


@dataclass(frozen=True)
class Standings:
    """Scores and ratings of the entrants that have played."""

    order: tuple[int, ...]
    """entrants, the strongest first"""
    scores: dict[int, Score]
    """of each entrant over all its meetings"""
    anchor: int
    """the entrant with rating 0"""
    ratings: Ratings
    places: dict[int, int]
    """entrant -> its row in `ratings`"""

    def difference(self, entrant: int, other: int) -> Difference:
        """`entrant` above `other`, in Elo."""
        return self.ratings.difference(self.places[entrant], self.places[other])

    def rating(self, entrant: int) -> Difference:
        """`entrant` above the anchor, in Elo."""
        return self.difference(entrant, self.anchor)


def check_game(game: str) -> None:
    """Raise GameError for a game that tournaments can't be played in."""
    facts = spec(game)
    if facts.players != 2:
        raise GameError(f"{facts.name} is a one-player game, which has no matches; compare mean returns")
    if facts.stochastic:
        raise GameError(f"{facts.name} has chance events, so openings can't be repeated for every pair of players; "
                        "play single matches")


def play(
    game: str, entrants: Sequence[Entrant], games: int, seed: int, opening_plies: int, max_moves: int = 0
) -> Iterator[Meeting]:
    """Each pair of entrants plays `games` games (even); yields each meeting as soon as it is over.

    All meetings have the same openings, of `opening_plies` random moves. The first entrant meets all others first, and
    so on: whenever the tournament stops, all who have played are connected. Raises what `check_game` and `play_pairs`
    raise.
    """
    check_game(game)
    for first, second in combinations(range(len(entrants)), 2):
        players = [entrants[number].make(_seed(seed, first, second, side))
                   for side, number in enumerate((first, second))]
        played = play_pairs(game, players[0], players[1], games, seed, opening_plies, max_moves)
        points = (played.results.reshape(-1, 2).sum(axis=1) + 2.0) / 2.0
        yield Meeting(
            first=first, second=second, points=tuple(points.tolist()), moving_first=played.moving_first,
            moving_second=played.moving_second, different=len(set(played.moves)),
            mean_length=float(np.mean([len(moves) for moves in played.moves])), cut=int(played.cut.sum()))


def standings(meetings: Sequence[Meeting], anchor: int, seed: int = 0) -> Standings:
    """Ratings of all entrants that have played. `anchor` has 0, or the lowest number if it hasn't played.

    Raises ValueError if there are no meetings, and what `rate` raises.
    """
    met = sorted({number for meeting in meetings for number in (meeting.first, meeting.second)})
    if not met:
        raise ValueError("expected at least one meeting, got none")
    anchor = anchor if anchor in met else met[0]
    places = {number: place for place, number in enumerate(met)}
    pairings = [Pairing(places[meeting.first], places[meeting.second], np.array(meeting.points))
                for meeting in meetings]
    ratings = rate(len(met), pairings, places[anchor], seed)
    scores = {number: Score(0, 0, 0) for number in met}
    for meeting in meetings:
        for number in (meeting.first, meeting.second):
            scores[number] += meeting.seen_by(number)
    order = sorted(met, key=lambda number: (-ratings.elo[places[number]], number))
    return Standings(tuple(order), scores, anchor, ratings, places)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
