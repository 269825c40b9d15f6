"""Round robins: who meets whom, equal openings, and the order of ratings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from games.base import GameError
from muzero.players import maker, parse
from selfplay.strength import tournament
from selfplay.strength.arena import Score, play_match, play_pairs
from selfplay.strength.tournament import Entrant, Meeting, Standings, standings

torch.set_num_threads(1)
GAME = "tic_tac_toe"


def entrants(*texts: str) -> list[Entrant]:
    return [Entrant(text, maker(text, GAME)) for text in texts]


def meeting(first: int, second: int, points: list[float]) -> Meeting:
    wins, draws = sum(p == 2 for p in points), sum(p == 1 for p in points)
    half = Score(wins, draws, len(points) - wins - draws)
    return Meeting(first, second, tuple(points), half, half, 2 * len(points), 7.0)


@pytest.fixture(scope="module")
def ladder() -> Standings:
    meetings = list(tournament.play(GAME, entrants("mcts:2", "random", "mcts:20"), 20, seed=0, opening_plies=2))
    return standings(meetings, anchor=1)


# Playing.


def test_more_simulations_are_rated_higher(ladder: Standings) -> None:
    assert ladder.order[0] == 2
    best = ladder.rating(2)
    assert best.low > 0
    assert ladder.rating(1).value == 0
    assert ladder.difference(2, 0).value == pytest.approx(best.value - ladder.rating(0).value)
    assert [ladder.scores[number].games for number in range(3)] == [40, 40, 40]
    assert sum(ladder.scores[number].wins for number in range(3)) == sum(
        ladder.scores[number].losses for number in range(3))


def test_everybody_meets_everybody_with_the_same_openings(monkeypatch: pytest.MonkeyPatch) -> None:
    openings: list[list[tuple[int, ...]]] = []

    def noted(*words: Any) -> Any:
        played = play_pairs(*words)
        openings.append([moves[:4] for moves in played.moves])
        return played

    monkeypatch.setattr("selfplay.strength.tournament.play_pairs", noted)
    met = list(tournament.play(GAME, entrants("random", "mcts:2", "mcts:3", "perfect"), 6, 5, 4))
    assert [(one.first, one.second) for one in met] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert all(opening == openings[0] for opening in openings)
    assert openings[0][0::2] == openings[0][1::2], "both games of a pair open alike"
    assert len(set(openings[0])) == 3
    assert all(one.total.games == 6 and len(one.points) == 3 for one in met)
    again = list(tournament.play(GAME, entrants("random", "mcts:2", "mcts:3", "perfect"), 6, 5, 4))
    assert met == again
    assert met != list(tournament.play(GAME, entrants("random", "mcts:2", "mcts:3", "perfect"), 6, 6, 4))


def test_points_are_those_of_each_pair() -> None:
    first, second = entrants("mcts:9", "random")
    met, = tournament.play(GAME, [first, second], 10, 1, 3)
    total = met.total
    assert sum(met.points) == total.wins + total.draws / 2
    assert met.seen_by(1) == Score(total.losses, total.draws, total.wins)
    assert total.share > 0.5


def test_pairs_of_a_match_are_its_games() -> None:
    """`play_match` counts what `play_pairs` plays."""
    players = [parse(text, GAME, 3) for text in ("mcts:2", "random")]
    match = play_match(GAME, *players, 8, 3, 2)
    played = play_pairs(GAME, *(parse(text, GAME, 3) for text in ("mcts:2", "random")), 8, 3, 2)
    assert (played.moving_first, played.moving_second) == (match.moving_first, match.moving_second)
    assert match.different == len(set(played.moves))
    assert set(played.results) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(("game", "said"), [("catch", "one-player"), ("pig", "chance")])
def test_games_that_allow_no_tournament(game: str, said: str) -> None:
    with pytest.raises(GameError, match=said):
        next(tournament.play(game, entrants("random", "mcts:2"), 2, 0, 0))


def test_only_those_who_played_are_rated() -> None:
    table = standings([meeting(0, 2, [2.0, 1.0, 2.0])], anchor=1)
    assert (table.order, table.anchor) == ((0, 2), 0)
    assert table.rating(0).value == 0
    assert table.rating(2).value < 0
    with pytest.raises(ValueError, match="expected at least one meeting, got none"):
        standings([], anchor=0)
