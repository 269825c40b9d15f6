"""Matches: seats, results, lockstep and perfect play."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from games import make
from games.base import GameBatch, GameError, IntArray, MaskArray
from games.solver import Solver
from muzero.players import parse
from selfplay.players import MctsPlayer, Player, RandomPlayer
from selfplay.strength.arena import Score, play_alone, play_match
from selfplay.strength.perfect import PerfectPlayer, keeps_value


class Leftmost:
    """The legal move of the lowest number; remembers which players it moved for."""

    name = "leftmost"

    def __init__(self) -> None:
        self.seats: set[int] = set()

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        self.seats |= set(games.to_play()[rows].tolist())
        return np.where(rows, games.legal().argmax(axis=1), 0).astype(np.int32)


class Illegal:
    name = "illegal"

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        return np.full(games.size, -1, np.int32)


def test_both_seats_are_counted_equally_and_all_games_end() -> None:
    first, second = Leftmost(), Leftmost()
    result = play_match("tic_tac_toe", first, second, games=6, seed=0)
    # Leftmost against itself: 0 1 2 3 4 5 6 gives the first to move a diagonal, in every game.
    assert (result.moving_first, result.moving_second) == (Score(3, 0, 0), Score(0, 0, 3))
    assert first.seats == second.seats == {0, 1}
    assert result.mean_length == 7
    assert result.different == 1
    assert result.total == Score(3, 0, 3)
    assert result.total.share == 0.5


def test_seats_are_told_by_the_first_mover_where_player_0_moves_second() -> None:
    """In chess White is player 1 and moves first."""
    assert make("chess", 1).to_play()[0] == 1
    seen: list[int] = []

    class Watcher(RandomPlayer):
        def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
            if not seen:
                seen.extend(np.flatnonzero(rows).tolist())
                raise StopIteration
            return super().act(games, rows)

    with pytest.raises(StopIteration):
        play_match("chess", Watcher(0), RandomPlayer(1), games=4, seed=0)
    assert seen == [0, 2]


def test_a_match_repeats_with_its_seed_and_differs_without() -> None:
    def match(seed: int) -> object:
        return play_match("connect_four", RandomPlayer(seed), MctsPlayer("connect_four", 5, seed), 10, seed)

    assert match(3) == match(3)
    assert match(3) != dataclasses.replace(match(4), seed=3)  # type: ignore[type-var]


def test_chunks_do_not_lose_games(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfplay.strength.arena.GAMES_AT_ONCE", 4)
    result = play_match("tic_tac_toe", RandomPlayer(0), RandomPlayer(1), games=10, seed=0)
    assert result.moving_first.games == result.moving_second.games == 5


def test_random_openings_are_played_from_both_seats() -> None:
    result = play_match("connect_four", Leftmost(), Leftmost(), games=40, seed=1, opening_plies=4)
    # The same player on both sides: each pair is one game seen from both seats.
    assert result.moving_first == Score(result.moving_second.losses, result.moving_second.draws,
                                        result.moving_second.wins)
    assert 10 < result.different <= 20


@pytest.mark.parametrize(
    ("game", "games", "plies", "wanted"),
    [
        ("tic_tac_toe", 3, 0, "even number"),
        ("tic_tac_toe", 0, 0, "even number"),
        ("catch", 2, 0, "one-player"),
        ("pig(players=2)", 2, 1, "chance"),
        ("tic_tac_toe", 2, 9, "hardly any game"),
    ],
)
def test_matches_that_make_no_sense_are_refused(game: str, games: int, plies: int, wanted: str) -> None:
    with pytest.raises(GameError, match=wanted):
        play_match(game, RandomPlayer(0), RandomPlayer(1), games, seed=0, opening_plies=plies)


def test_an_illegal_move_of_a_player_is_an_error() -> None:
    with pytest.raises(GameError, match="illegal"):
        play_match("tic_tac_toe", Illegal(), RandomPlayer(0), 2, seed=0)


class OneSeat(RandomPlayer):
    """Fails if it is ever asked to move for two players of the same game."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seat: dict[int, int] = {}
        self.calls = 0

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        self.calls += 1
        for row in np.flatnonzero(rows).tolist():
            assert self.seat.setdefault(row, int(games.to_play()[row])) == games.to_play()[row]
        return super().act(games, rows)


def test_extra_turns_reach_the_right_player() -> None:
    """In dots and boxes whoever closes a box moves again."""
    first, second = OneSeat(0), OneSeat(1)
    result = play_match("dots_and_boxes", first, second, games=8, seed=0)
    assert result.total.games == 8
    assert set(first.seat) == set(second.seat) == set(range(8))
    assert all(first.seat[row] == row % 2 == 1 - second.seat[row] for row in range(8))


def test_more_mcts_beats_less() -> None:
    strong, weak = MctsPlayer("connect_four", 200, 0), MctsPlayer("connect_four", 5, 1)
    assert play_match("connect_four", strong, weak, games=20, seed=0).total.share > 0.8


def test_perfect_never_loses_a_drawn_game_and_wins_a_won_one() -> None:
    perfect, opponent = PerfectPlayer("tic_tac_toe", 0), MctsPlayer("tic_tac_toe", 20, 1)
    result = play_match("tic_tac_toe", perfect, opponent, games=100, seed=0)
    assert result.total.losses == 0
    assert result.total.wins > 0
    assert result.different > 20
    nim = play_match("nim", RandomPlayer(2), PerfectPlayer("nim", 3), games=20, seed=0)
    assert nim.moving_first.wins == 0


def test_keeps_value_counts_every_reachable_position() -> None:
    solver, told = Solver("tic_tac_toe"), list[tuple[int, int]]()
    perfect, leftmost = keeps_value(
        [PerfectPlayer("tic_tac_toe", 0), Leftmost()], solver, lambda done, whole: told.append((done, whole))
    )
    assert told[0] == (512, 4520)
    assert told[-1] == (4520, 4520)
    assert (perfect.positions, perfect.lose_value, perfect.first_lapses) == (4520, 0, ())
    assert leftmost.positions == 4520
    assert 500 < leftmost.lose_value < 4520
    assert [len(lapse.history) for lapse in leftmost.first_lapses] == sorted(
        len(lapse.history) for lapse in leftmost.first_lapses
    )
    lapse = leftmost.first_lapses[0]
    state = make("tic_tac_toe", 1)
    for action in lapse.history:
        state.step(np.array([action], np.int32))
    assert state.legal()[0, lapse.action]
    assert lapse.got < lapse.value


def test_every_position_has_the_quality_of_known_positions() -> None:
    """Tic-Tac-Toe: the leftmost move, judged position by position from the solver's own values."""
    solver = Solver("tic_tac_toe")
    (report,) = keeps_value([Leftmost()], solver)
    lost, critical, perfect = [], [], []
    for history in solver.reachable_decisions():
        values, scores = (ask(solver.state_after(history)) for ask in (solver.move_values, solver.move_scores))
        chosen, best = min(values), max(values.values())
        lost.append(best - values[chosen])
        critical.append(best > min(values.values()))
        perfect.append(scores[chosen] == max(scores.values()))
    whole, *bands = report.qualities
    assert (whole.positions, whole.critical) == (4520, sum(critical))
    assert whole.keep == pytest.approx(100 * np.mean(np.array(lost) == 0))
    assert whole.critical_keep == pytest.approx(100 * np.mean(np.array(lost)[critical] == 0))
    assert whole.perfect == pytest.approx(100 * np.mean(perfect))
    assert whole.perfect < whole.keep
    assert whole.value_lost == pytest.approx(np.mean(lost))
    assert [band.label for band in bands] == ["0-2", "3-5", "6-8"]
    assert sum(band.positions for band in bands) == 4520


def test_without_win_draw_and_loss_there_is_no_best_score() -> None:
    """deep_sea pays on the way: at each depth one move returns more than the other."""
    (report,) = keeps_value([Leftmost()], Solver("deep_sea"))
    whole = report.qualities[0]
    assert np.isnan(whole.perfect)
    assert whole.positions == whole.critical == 15
    assert 0 < report.lose_value < 15
    assert whole.keep == pytest.approx(100 * (1 - report.lose_value / 15))
    assert whole.value_lost > 0
    assert report.first_lapses[0].value == pytest.approx(0.99)


def test_keeps_value_refuses_chance() -> None:
    with pytest.raises(GameError, match="without chance"):
        keeps_value([RandomPlayer(0)], Solver("catch"))


def test_one_player_games_give_returns() -> None:
    result = play_alone("catch", RandomPlayer(0), games=50, seed=0)
    assert result.games == 50
    assert set(result.returns) == {-1.0, 1.0}
    assert result.median in (-1.0, 0.0, 1.0)
    assert result.deviation == pytest.approx(np.sqrt(1 - result.mean**2) * np.sqrt(50 / 49))
    assert play_alone("catch", RandomPlayer(0), games=1, seed=0).deviation == 0
    with pytest.raises(GameError, match="two-player"):
        play_alone("tic_tac_toe", RandomPlayer(0), games=2, seed=0)


def test_chunks_of_one_player_s_games_begin_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def noted(game: str, size: int, seed: int) -> GameBatch:
        seeds.append(seed)
        return make(game, size, seed)

    monkeypatch.setattr("selfplay.strength.arena.GAMES_AT_ONCE", 4)
    monkeypatch.setattr("selfplay.strength.arena.make", noted)
    assert play_alone("catch", RandomPlayer(0), games=10, seed=0).games == 10
    assert len(set(seeds)) == len(seeds) == 3


@pytest.mark.parametrize("text", ["random", "mcts:7", "perfect"])
def test_players_are_parsed(text: str) -> None:
    player: Player = parse(text, "tic_tac_toe", seed=0)
    assert player.name == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("randon", "did you mean 'random'"), ("perfct", "did you mean 'perfect'"), ("mcts:x", "mcts:N"),
     ("mcts:0", "mcts:N"), ("mtcs", "did you mean 'mcts'")],
)
def test_mistyped_players_name_the_nearest(text: str, wanted: str) -> None:
    with pytest.raises(GameError, match=wanted):
        parse(text, "tic_tac_toe", seed=0)


@pytest.mark.parametrize("text", ["perfect", "mcts:5"])
def test_own_games_have_no_rules_to_search(text: str) -> None:
    with pytest.raises(GameError, match="not an OpenSpiel game"):
        parse(text, "games.examples.subtraction:Subtraction", seed=0)


def test_own_games_can_be_played() -> None:
    result = play_match("games.examples.subtraction:Subtraction", RandomPlayer(0), RandomPlayer(1), 6, seed=0)
    assert result.total.games == 6


def test_players_leave_other_rows_alone() -> None:
    games = make("tic_tac_toe", 4)
    rows = np.array([True, False, True, False])
    for player in (RandomPlayer(0), MctsPlayer("tic_tac_toe", 5, 0), PerfectPlayer("tic_tac_toe", 0)):
        assert player.act(games, rows)[~rows].tolist() == [0, 0]
