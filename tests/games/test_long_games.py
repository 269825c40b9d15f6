"""Games that don't end by themselves: whatever measures them cuts them, says how many, and tells how far it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from scripted import Scripted
from tiny_runs import last, tiny

import games
from games.base import NO_LIMIT, GameBatch, IntArray, MaskArray
from muzero.cli import main
from muzero.commands.play.dialogue import Dialogue
from muzero.errors import INTERRUPTED
from muzero.play.session import Result, Session
from muzero.storage import checkpoint, metrics
from muzero.training import loop
from muzero.training.interrupt import Interrupt
from muzero.training.watched import Reported
from muzero.view.progress import Progress
from muzero.view.terminal import Ink
from selfplay.players import RandomPlayer
from selfplay.strength.arena import LONGEST, move_limit, play_alone, play_match

torch.set_num_threads(1)
ENDLESS = "gym/Endless-v0"
Captured = pytest.CaptureFixture[str]


class Endless(gymnasium.Env[Any, Any]):
    """Pays 1 a move and never ends."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    observation_space = Box(0, 255, (6, 6, 1), np.uint8)
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros((6, 6, 1), np.uint8), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros((6, 6, 1), np.uint8), 1.0, False, False, {}


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[None]:
    gymnasium.register("Endless-v0", Endless, disable_env_checker=True)
    yield
    del gymnasium.registry["Endless-v0"]


@pytest.mark.parametrize(("game", "asked", "limit"), [
    (ENDLESS, 0, LONGEST), (ENDLESS, 7, 7), (ENDLESS, 10 * LONGEST, 10 * LONGEST),
    ("gym/CartPole-v1", 0, 500), ("gym/CartPole-v1", 7, 7), ("gym/CartPole-v1", 501, 500),
    ("atari/pong", 0, 27_000), ("atari/pong(protocol=custom,cap=2000000,skip=1)", 0, 2_000_000),
    ("tic_tac_toe", 0, 9), ("games.examples.subtraction:Subtraction", 0, 21),
])
def test_the_limit_is_the_game_s_own_where_it_has_one(game: str, asked: int, limit: int) -> None:
    assert move_limit(games.spec(game), asked) == limit


def test_a_game_without_end_is_cut_and_counts_with_what_it_has() -> None:
    assert games.spec(ENDLESS).max_length == NO_LIMIT
    result = play_alone(ENDLESS, RandomPlayer(0), games=3, seed=0, max_moves=5)
    assert result.returns == (5.0,) * 3
    assert result.lengths == (5,) * 3
    assert (result.max_moves, result.cut) == (5, 3)


def test_games_that_end_are_not_cut() -> None:
    result = play_alone("gym/CartPole-v1", RandomPlayer(0), games=20, seed=0, max_moves=20)
    assert result.cut == sum(length == 20 and paid == 20 for length, paid in
                             zip(result.lengths, result.returns, strict=True)) > 0
    assert play_alone("gym/CartPole-v1", RandomPlayer(0), games=20, seed=0).cut == 0


def test_matches_are_cut_and_drawn() -> None:
    result = play_match("tic_tac_toe", RandomPlayer(0), RandomPlayer(1), games=6, seed=0, max_moves=4)
    assert (result.max_moves, result.cut, result.total.draws, result.mean_length) == (4, 6, 6, 4.0)
    whole = play_match("tic_tac_toe", RandomPlayer(0), RandomPlayer(1), games=6, seed=0, max_moves=9)
    assert whole.cut == 0
    assert whole == play_match("tic_tac_toe", RandomPlayer(0), RandomPlayer(1), games=6, seed=0)


# --- commands -----------------------------------------------------------------------------------------------------


def test_evaluate_says_how_many_games_were_cut(tmp_path: Path, capsys: Captured) -> None:
    told = tmp_path / "told.json"
    asked = ["evaluate", ENDLESS, "--player", "random", "--episodes", "3", "--max-moves", "5", "--json", str(told)]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "the game's own rewards, cut after 5 moves" in said
    assert "3 of 3 games were cut off after 5 moves and count with the return so far (--max-moves" in said
    content = json.loads(told.read_text())
    assert (content["returns"]["max_moves"], content["returns"]["cut"]) == (5, 3)


def test_matches_and_tournaments_say_how_many_games_were_cut(tmp_path: Path, capsys: Captured) -> None:
    told = tmp_path / "told.json"
    end = ["--games", "4", "--opening-plies", "0", "--max-moves", "3", "--json", str(told)]
    assert main(["evaluate", "tic_tac_toe", "--player", "random", "--against", "mcts:2", *end]) == 0
    assert "4 of 4 games were cut off after 3 moves" in capsys.readouterr().out
    match = json.loads(told.read_text())["match"]
    assert (match["max_moves"], match["cut"]) == (3, 4)
    assert main(["evaluate", "tic_tac_toe", "--tournament", "random", "mcts:2", *end]) == 0
    assert "4 of 4 games were cut off after 3 moves" in " ".join(capsys.readouterr().out.split())
    content = json.loads(told.read_text())
    assert (content["max_moves"], content["cut"]) == (3, 4)


def test_a_limit_that_makes_no_sense_is_refused(capsys: Captured) -> None:
    assert main(["evaluate", "tic_tac_toe", "--every-position", "--max-moves", "5"]) == 2
    assert "--max-moves" in capsys.readouterr().err
    assert main(["evaluate", "tic_tac_toe", "--max-moves", "0"]) == 2
    assert "--max-moves: expected 1 to" in capsys.readouterr().err


# --- training -----------------------------------------------------------------------------------------------------

LEARNING: dict[str, Any] = {
    "game": ENDLESS, "model.network": "resnet", "search.scale": "minmax", "play.scale": "minmax",
    "selfplay.max_moves": 10, "train.evaluate_minutes": 1e-9, "train.evaluate_games": 2, "train.log_seconds": 0.0,
    "train.steps": 3,
}


@pytest.fixture(scope="module")
def trained(registered: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    """A run with evaluations, and what it reported."""
    out, shown = tmp_path_factory.mktemp("run"), list[Progress]()
    assert loop.run(tiny(**LEARNING, **{"train.evaluate_moves": 9}), out, report=shown.append) == 0
    return out, shown


def test_a_training_on_a_game_without_end_ends(trained: tuple[Path, list[Progress]]) -> None:
    out, shown = trained
    assert shown[-1].evaluation == "mean return 9.00 in 2 games (2 cut off after 9 moves) at step 3"
    cut = [record["evaluation/cut"] for record in metrics.read(out) if "evaluation/cut" in record]
    assert cut
    assert set(cut) == {2.0}


def test_evaluations_tell_how_far_they_are(trained: tuple[Path, list[Progress]]) -> None:
    told = [progress.evaluation for progress in trained[1] if progress.status == loop.EVALUATING]
    assert told[:3] == [f"0 of 2 games over, of at most 9 moves each, {moves} moves made" for moves in (0, 2, 4)]


def test_a_film_and_a_watched_game_are_cut_where_the_measured_one_is(
    trained: tuple[Path, list[Progress]], tmp_path: Path, capsys: Captured
) -> None:
    film = ["evaluate", str(trained[0]), "--video", str(tmp_path / "film.gif"), "--simulations", "2"]
    assert main([*film, "--max-moves", "4", "--json", str(tmp_path / "told.json")]) == 0
    assert "filmed 4 moves, score 4: " in (said := capsys.readouterr().out)
    assert "(cut off after 4 moves)" in said
    assert not json.loads((tmp_path / "told.json").read_text())["video"]["whole"]


def test_what_a_run_evaluates_leaves_no_trace(tmp_path: Path, trained: tuple[Path, list[Progress]]) -> None:
    silent = tiny(**{**LEARNING, "train.evaluate_minutes": 0.0})
    assert loop.run(silent, tmp_path) == 0
    assert checkpoint.same_content(last(trained[0]), last(tmp_path)) == ["config.json"]


class Still:
    """Gives every row the move 0."""

    name = "still"

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        return np.zeros(games.size, np.int32)


def test_reports_of_a_match_are_counted_over_its_batches_and_not_too_many() -> None:
    now, told = [0.0], list[str]()
    player = Reported(Still(), 6, 1_000, told.append, 10.0, lambda: now[0])
    first, second = games.make("catch", 4), games.make("catch", 2)
    for batch in (first, second):
        while (going := batch.to_play() != games.NO_PLAYER).any():
            batch.step(player.act(batch, going), going)
            now[0] += 6.0
    assert told[:2] == [f"0 of 6 games over, of at most 1,000 moves each, {moves} moves made" for moves in (0, 8)]
    assert told[-1].startswith("4 of 6 games over, ")
    assert len(told) == 9


def test_interrupted_evaluations_are_left(tmp_path: Path) -> None:
    stop = Interrupt()

    def watch(progress: Progress) -> None:
        stop.asked |= progress.status == loop.EVALUATING

    run = loop.Run(tiny(**LEARNING), tmp_path)
    run.state.config = tiny(**LEARNING, train__log_seconds=0.0)
    assert run.go(watch, stop) == INTERRUPTED
    run.folder.metrics.close()


def test_a_game_without_end_that_plays_by_itself_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfplay.strength.arena.LONGEST", 3)
    alone = Session(Scripted(ENDLESS), watch=True)
    while not alone.over:
        alone.think()
    result = alone.result()
    assert result == Result("cut", None, 3, (3.0,))
    assert Dialogue(alone, Ink(False), fancy=False).outcome() == "Cut off after 3 moves. Return of player 0: 3."
    person = Session(Scripted(ENDLESS))
    for _ in range(4):
        person.play(0)
    assert not person.over, "a person may leave at any time"
