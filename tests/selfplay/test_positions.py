"""Positions files: what is refused and why, and figures known from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from games import make
from games.base import GameBatch, GameError, IntArray, MaskArray
from selfplay.players import MctsPlayer, RandomPlayer
from selfplay.strength.positions import PositionSet, choose, judge, judge_moves, place, read, tabulate

SHIPPED = Path(__file__).parents[2] / "benchmarks" / "data" / "connect_four_positions.csv"
GOOD = "5506,-2;-2;0;-1;-3;-1;-1"
"""Moves and values of the first shipped position."""


@pytest.fixture(scope="module")
def positions() -> PositionSet:
    return read(SHIPPED, "connect_four")


def write(folder: Path, lines: str) -> Path:
    path = folder / "positions.csv"
    path.write_text(lines)
    return path


def test_shipped_positions_agree_with_the_rules(positions: PositionSet) -> None:
    assert len(positions) == 500
    assert {len(history) for history in positions.histories} <= set(range(4, 38))
    assert positions.scores.shape == (500, 7)


class BestMoves:
    """Plays the highest score it was shown for a position, told apart by its observation."""

    def __init__(self, positions: PositionSet, worst: bool = False) -> None:
        games = make(positions.game, len(positions))
        place(games, positions.histories)
        pick = np.nanargmin if worst else np.nanargmax
        best = pick(positions.scores, axis=1)
        self.answers = {games.observe()[i].tobytes(): int(best[i]) for i in range(len(positions))}

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        return np.array([self.answers[obs.tobytes()] for obs in games.observe()], np.int32)


def test_best_and_worst_moves_are_judged_so(positions: PositionSet) -> None:
    best, *bands = judge(positions, choose(BestMoves(positions), positions))
    assert (best.keep, best.critical_keep, best.perfect, best.value_lost) == (100, 100, 100, 0)
    assert sum(band.positions for band in bands) == best.positions == 500
    assert sum(band.critical for band in bands) == best.critical
    worst = judge(positions, choose(BestMoves(positions, worst=True), positions))[0]
    assert worst.critical_keep == 0
    assert worst.keep == pytest.approx(100 * (500 - best.critical) / 500)
    assert worst.value_lost >= best.critical / 500


def test_random_and_mcts_give_the_figures_measured_elsewhere(positions: PositionSet) -> None:
    """Keep, critical keep and perfect %: random 56.0, 38.7, 28.0; MCTS of 100 83.6, 77.2, 71.0."""
    moves = [judge(positions, choose(RandomPlayer(seed), positions))[0] for seed in range(10)]
    assert np.mean([q.keep for q in moves]) == pytest.approx(56.0, abs=2)
    assert np.mean([q.critical_keep for q in moves]) == pytest.approx(38.7, abs=3)
    assert np.mean([q.perfect for q in moves]) == pytest.approx(28.0, abs=2)
    mcts = judge(positions, choose(MctsPlayer("connect_four", 100, seed=0), positions))[0]
    assert mcts.keep == pytest.approx(83.6, abs=3)
    assert mcts.critical_keep == pytest.approx(77.2, abs=4)
    assert mcts.perfect == pytest.approx(71.0, abs=4)


def test_value_lost_counts_a_thrown_win_twice() -> None:
    nan = float("nan")
    positions = PositionSet("connect_four", ((), ()), np.array([[3, 0, -2], [nan, 0, -1]], np.float32))
    assert judge(positions, np.array([0, 1], np.int32))[0].value_lost == 0
    assert judge(positions, np.array([2, 2], np.int32))[0].value_lost == 1.5
    assert judge(positions, np.array([1, 1], np.int32))[0].perfect == 50


def test_critical_keep_is_nan_where_nothing_is_critical() -> None:
    positions = PositionSet("connect_four", ((),), np.array([[1, 2, 3]], np.float32))
    quality = judge(positions, np.array([0], np.int32))[0]
    assert np.isnan(quality.critical_keep)
    assert quality.keep == 100


def test_known_positions_are_told_by_bands_of_ten_plies(positions: PositionSet) -> None:
    labels = [quality.label for quality in judge(positions, choose(RandomPlayer(0), positions))]
    assert labels == ["all", "4-13", "14-23", "24-33", "34-37"]


def test_moves_judged_in_parts_make_one_table(positions: PositionSet) -> None:
    moves = choose(RandomPlayer(0), positions)
    parts = [
        judge_moves(PositionSet(positions.game, positions.histories[part], positions.scores[part]), moves[part])
        for part in (slice(0, 7), slice(7, 300), slice(300, None))
    ]
    assert tabulate(parts) == judge(positions, moves)


def test_place_leaves_the_rows_beyond_at_the_start() -> None:
    games = make("connect_four", 3)
    place(games, [(3, 3), (0,)])
    assert games.to_play().tolist() == [0, 1, 0]
    assert np.array_equal(games.observe()[2], make("connect_four", 1).observe()[0])


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("moves,values\n" + GOOD + "\n0000000,.;0;0;0;0;0;0\n", r"line 3: move 7 is 0; legal there: 1 2 3"),
        ("moves,values\n9,0;0;0;0;0;0;0\n", r"line 2: move 1 is 9"),
        ("moves,values\n0101010,0;0;0;0;0;0;0\n", r"line 2: the game is over after"),
        ("moves,values\n01010100,0;0;0;0;0;0;0\n", r"line 2: move 8 is 0; legal there: none"),
        ("moves,values,colour\n" + GOOD + ",red\n", r"line 1: unknown column 'colour'"),
        ("moves,ply\n5506,4\n", r"line 1: no column 'values'"),
        ("moves,values,moves\n" + GOOD + ",1\n", r"line 1: a column appears twice"),
        ("moves,values\n5506,1;2;3\n", r"line 2: expected values for 7 actions, got 3"),
        ("moves,values\n5506,a;0;0;0;0;0;0\n", r"line 2: values: expected '.' or whole numbers"),
        ("moves,values\n5506,1" + 400 * "0" + ";0;0;0;0;0;0\n", r"line 2: values: expected '.' or whole numbers"),
        ("moves,values\n5506,16777217;0;0;0;0;0;0\n", r"line 2: values: expected .* up to 16,777,216"),
        ("moves,values\n5506,1_0;0;0;0;0;0;0\n", r"line 2: values: expected '.' or whole numbers"),
        ("moves,values\n5;;5,0;0;0;0;0;0;0\n", r"line 2: moves: expected action numbers, got '5;;5'"),
        ("moves,values\n55x6,0;0;0;0;0;0;0\n", r"line 2: moves: expected action numbers, got '55x6'"),
        ("moves,values\n5506,.;0;0;0;0;0;0\n", r"line 2: legal moves are \[0, 1, 2"),
        ("moves,values,ply\n" + GOOD + ",5\n", r"line 2: ply is '5', but there are 4 moves"),
        ("moves,values,critical\n" + GOOD + ",0\n", r"line 2: critical is '0', but the values say 1"),
        ("moves,values\n5506\n", r"line 2: expected 2 columns, got 1"),
        ("moves,values\n", r"no positions in it"),
        ("", r"the file is empty"),
    ],
)
def test_a_bad_line_is_refused_by_name(tmp_path: Path, lines: str, wanted: str) -> None:
    with pytest.raises(GameError, match=wanted):
        read(write(tmp_path, lines), "connect_four")


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GameError, match="can't be read"):
        read(tmp_path / "nothing.csv", "connect_four")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(GameError, match="can't be read"):
        read(tmp_path / "binary.csv", "connect_four")


def test_games_with_chance_have_no_positions_files(tmp_path: Path) -> None:
    with pytest.raises(GameError, match="without chance"):
        read(write(tmp_path, "moves,values\n"), "catch")
