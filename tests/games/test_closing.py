"""Games that hold something are told to let go, however they end; and games that don't follow from their seeds begin
anew where a run goes on, while all else does."""

from __future__ import annotations

import gc
import itertools
import json
import os
import re
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
from games.base import GameBatch, GameError
from games.rows import close, released
from games.trial import try_game
from muzero.cli import main
from muzero.play.session import Session, Undone
from muzero.play.thoughts import expected_line
from muzero.storage import checkpoint
from muzero.training import loop
from muzero.view.progress import Progress
from selfplay.players import RandomPlayer
from selfplay.strength.arena import play_alone

torch.set_num_threads(1)
HOLDING, CHANCE = "gym/Holding-v0", "gym/Chance-v0"


class Holding(gymnasium.Env[Any, Any]):
    """Holds a number until it is closed. Ends at the 12th move."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    observation_space: Any = Box(-1.0, 1.0, (2,), np.float32)
    action_space: Any = Discrete(2)
    numbers: ClassVar[Iterator[int]] = itertools.count()
    held: ClassVar[set[int]] = set()
    fails_at: ClassVar[str] = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.number, self.moves = next(self.numbers), 0
        self.held.add(self.number)
        if self.fails_at == "reset" and len(self.held) == 3:
            raise RuntimeError("no port is free")
        return self.seen(), {}

    def seen(self) -> Any:
        return self.np_random.random(2).astype(np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.moves += 1
        if self.fails_at == "step" and self.number >= 30:
            raise RuntimeError("lost")
        return self.seen(), 1.0, self.moves == 12, False, {}

    def close(self) -> None:
        if self.fails_at == "close":
            raise RuntimeError("stuck")
        if hasattr(self, "number"):
            self.held.remove(self.number)


class Chance(Holding):
    """Doesn't follow from its seed: what it shows comes from elsewhere."""

    elsewhere: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def seen(self) -> Any:
        return self.elsewhere.random(2).astype(np.float32)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, kind in ((HOLDING, Holding), (CHANCE, Chance)):
        gymnasium.register(name.removeprefix("gym/"), kind, disable_env_checker=True)
    monkeypatch.setattr(Holding, "held", set())
    monkeypatch.setattr(Holding, "numbers", itertools.count())
    yield
    for name in (HOLDING, CHANCE):
        del gymnasium.registry[name.removeprefix("gym/")]


def step(batch: GameBatch, times: int = 1) -> None:
    for _ in range(times):
        batch.observe()
        batch.step(np.zeros(batch.size, np.int32))


# --- letting go ---------------------------------------------------------------------------------------------------


def test_a_game_lets_go_when_it_ends_and_when_its_row_begins_anew() -> None:
    batch = games.make(HOLDING, 3)
    assert len(Holding.held) == 3
    batch.reset(np.array([True, False, False]))
    assert len(Holding.held) == 3
    step(batch, 12)
    assert not Holding.held, "over: nothing more is asked of them"
    batch.reset()
    snapshot = batch.snapshot()
    batch.restore(snapshot)
    assert len(Holding.held) == 3
    close(batch)
    close(batch)
    assert not Holding.held


def test_a_batch_that_is_forgotten_lets_go() -> None:
    batch = games.make(HOLDING, 3)
    step(batch)
    assert len(Holding.held) == 3
    del batch
    gc.collect()
    assert not Holding.held


def test_what_fails_on_the_way_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError), released(games.make(HOLDING, 3)):
        raise ZeroDivisionError
    assert not Holding.held
    monkeypatch.setattr(Holding, "fails_at", "reset")
    with pytest.raises(GameError, match=r"row 2: a new game raised RuntimeError"):
        games.make(HOLDING, 5)
    assert not Holding.held


def test_measured_and_tried_games_let_go() -> None:
    games.spec(HOLDING)
    play_alone(HOLDING, RandomPlayer(0), games=4, seed=0, max_moves=5)
    try_game(HOLDING, steps=30)
    assert not Holding.held


def test_games_that_fail_to_let_go_are_told_after_all_were_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = games.make(HOLDING, 2)
    monkeypatch.setattr(Holding, "fails_at", "close")
    with pytest.raises(GameError, match=r"row 0, move 1: close\(\) raised RuntimeError: stuck"):
        close(batch)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("method", ["reset", "step"])
def test_a_ctrl_c_is_no_fault_of_a_game(
    monkeypatch: pytest.MonkeyPatch, method: str, kind: type[BaseException]
) -> None:
    """Also where the game's own order is lost by it, and where it can't be closed then."""
    usual = getattr(Holding, method)

    def stopped(self: Holding, *arguments: Any, **named: Any) -> Any:
        answer = usual(self, *arguments, **named)
        if len(Holding.held) == 3:
            monkeypatch.setattr(Holding, "fails_at", "close")
            try:
                raise kind
            finally:
                {}["lost"]
        return answer

    def played() -> None:
        with released(games.make(HOLDING, 2)) as batch:
            monkeypatch.setattr(Holding, method, stopped)
            with released(games.make(HOLDING, 1)):
                step(batch)

    with pytest.raises(kind):
        played()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_a_ctrl_c_while_games_let_go_lets_all_of_them_go(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    batch, usual = games.make(HOLDING, 4), Holding.close

    def stopped(self: Holding) -> None:
        usual(self)
        if self.number == 0:
            raise RuntimeError("stuck")
        if self.number == 1:
            raise kind

    monkeypatch.setattr(Holding, "close", stopped)
    with pytest.raises(kind):
        close(batch)
    assert not Holding.held


SHORT: dict[str, Any] = {"search.scale": "minmax", "play.scale": "minmax", "selfplay.max_moves": 5, "train.steps": 4}


@pytest.mark.parametrize("fails_at", ["", "step"])
def test_a_run_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str) -> None:
    """With games cut by `selfplay.max_moves`, evaluations, and an error in the middle."""
    monkeypatch.setattr(Holding, "fails_at", fails_at)
    config = tiny(**{**SHORT, "game": HOLDING, "train.evaluate_minutes": 1e-9, "train.evaluate_games": 2})
    if fails_at:
        with pytest.raises(GameError, match="raised RuntimeError"):
            loop.run(config, tmp_path)
    else:
        assert loop.run(config, tmp_path) == 0
    assert not Holding.held


SOURCE = '''
import dataclasses, itertools, os, pathlib
from games.examples.subtraction import Subtraction

HERE = pathlib.Path(__file__).parent / "held"
numbers = itertools.count()

class Holding(Subtraction):
    def __init__(self, generator):
        super().__init__(generator)
        self.held = HERE / f"{os.getpid()}-{next(numbers)}"
        self.held.touch()

    def close(self):
        self.held.unlink()
'''


def test_self_play_processes_let_go(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    (tmp_path / "held").mkdir()
    config = tiny(game=f"{tmp_path / 'mine.py'}:Holding", train__actors=1, train__steps=2)
    assert loop.run(config, tmp_path / "run") == 0
    assert checkpoint.load(last(tmp_path / "run")).state["games"] > 0
    assert os.listdir(tmp_path / "held") == []


# --- going on -----------------------------------------------------------------------------------------------------


def restored(batch: GameBatch, snapshot: dict[str, Any]) -> list[int]:
    return batch.restore(json.loads(json.dumps(snapshot)))


def test_a_game_that_shows_something_else_when_played_again_begins_anew() -> None:
    batch, other = games.make(CHANCE, 3, 0), games.make(CHANCE, 3, 1)
    step(batch, 2)
    assert restored(other, batch.snapshot()) == [0, 1, 2]
    assert [len(moves) for moves in other.snapshot()["moves"]] == [0, 0, 0]
    assert other.snapshot()["numbers"] == [3, 4, 5], "new games, not the same ones"
    assert other.returns().tolist() == [[0.0]] * 3


def test_a_game_that_ends_at_another_move_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, other = games.make(HOLDING, 2, 0), games.make(HOLDING, 2, 1)
    step(batch, 8)
    batch.reset(np.array([True, False]))
    snapshot = batch.snapshot()

    def sooner(self: Holding, action: Any) -> Any:
        return self.seen(), 1.0, True, False, {}

    monkeypatch.setattr(Holding, "step", sooner)
    assert restored(other, snapshot) == [1]
    assert other.to_play().tolist() == [0, 0]


def test_games_that_follow_from_their_seeds_go_on() -> None:
    batch, other = games.make(HOLDING, 3, 0), games.make(HOLDING, 3, 1)
    step(batch, 5)
    assert restored(other, batch.snapshot()) == []
    assert (other.observe() == batch.observe()).all()
    step(batch, 7)
    step(other, 7)
    assert restored(other, batch.snapshot()) == [], "finished games too"


def test_snapshots_of_older_versions_have_no_checksums() -> None:
    batch, other = games.make(CHANCE, 3, 0), games.make(CHANCE, 3, 1)
    step(batch, 2)
    snapshot = batch.snapshot()
    del snapshot["checksums"]
    assert restored(other, snapshot) == []
    assert [len(moves) for moves in other.snapshot()["moves"]] == [2, 2, 2]


def test_what_is_shown_is_looked_at_once_in_a_position() -> None:
    """So that a checkpoint takes nothing from a game that draws as it shows."""
    class Drawing(games_examples()):  # type: ignore[misc]
        def observe(self) -> Any:
            return (super().observe() * self.generator.random()).astype(np.float32)

    from games.single import Lockstep

    batch = Lockstep("drawing", Drawing, Drawing.spec, 2, 0)
    batch.snapshot()
    assert (batch.observe() == batch.observe()).all()


def games_examples() -> type:
    import dataclasses

    from games.examples.subtraction import Subtraction

    class Kept(Subtraction):
        spec = dataclasses.replace(Subtraction.spec, observation_dtype="float32")

        def __init__(self, generator: np.random.Generator) -> None:
            super().__init__(generator)
            self.generator = generator

    return Kept


@pytest.mark.parametrize(("game", "said"), [
    (CHANCE, Undone("impossible", "1")), (HOLDING, Undone("move", "1"))])
def test_what_can_not_be_had_again_is_not_taken_back(game: str, said: Undone) -> None:
    """Nor is another game in its place looked at."""
    session = Session(Scripted(game))
    for move in (0, 1):
        session.play(move)
    seen = session.games.observe()
    assert all(possible for _, possible in expected_line(session.games, [1, 0]).moves)
    assert session.undo() == said
    assert (session.games.observe() == seen).all() == (game == CHANCE)
    assert len(session.games.snapshot()["moves"][0]) == (2 if game == CHANCE else 1)
    close(session.games)
    assert not Holding.held


@pytest.mark.parametrize(("game", "anew"), [(CHANCE, 8), (HOLDING, 0)])
def test_a_run_goes_on_without_the_games_that_cannot(tmp_path: Path, game: str, anew: int) -> None:
    shown: list[Progress] = []
    short = tiny(**{**SHORT, "game": game, "selfplay.max_moves": 200, "train.log_seconds": 0.0})
    assert loop.run(short, tmp_path) == 0
    further = tiny(**{**SHORT, "game": game, "selfplay.max_moves": 200, "train.steps": 8, "train.log_seconds": 0.0})
    assert loop.run(further, tmp_path, report=shown.append) == 0
    assert shown[-1].step == 8
    words = f"{anew} unfinished games went differently when replayed, as {game} isn't determined by its seeds"
    assert any(words in warning for warning in shown[-1].warnings) == (anew > 0)
    assert checkpoint.load(last(tmp_path)).step == 8


def test_a_run_that_was_left_and_goes_on_is_the_whole_run(tmp_path: Path) -> None:
    config = {**SHORT, "game": HOLDING, "selfplay.max_moves": 200, "train.horizon": 8}
    assert loop.run(tiny(**{**config, "train.steps": 4}), tmp_path / "parts") == 0
    for out in ("parts", "whole"):
        assert loop.run(tiny(**{**config, "train.steps": 8}), tmp_path / out) == 0
    assert checkpoint.same_content(last(tmp_path / "parts"), last(tmp_path / "whole")) == []


def test_a_game_that_breaks_off_and_can_not_be_closed_is_told_with_both(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def step(self: Holding, action: Any) -> Any:
        Holding.fails_at = "close"
        raise RuntimeError("lost")

    monkeypatch.setattr(Holding, "fails_at", "")
    monkeypatch.setattr(Holding, "step", step)
    assert main(["train", HOLDING]) == 1
    said = capfd.readouterr().err
    assert re.search(r"^error: gym/Holding-v0: .*RuntimeError: stuck", said, re.MULTILINE)
    first = r"^  before that: gym/Holding-v0: row 0, move 1: step\(0\) raised RuntimeError: lost"
    assert re.search(first, said, re.MULTILINE)


def test_a_game_that_goes_to_another_folder_takes_no_run_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    reset = Holding.reset

    def elsewhere(self: Holding, **named: Any) -> Any:
        os.chdir(tmp_path / "there")
        return reset(self, **named)

    monkeypatch.setattr(Holding, "reset", elsewhere)
    options = {"steps": 1, "train.actors": 0, "train.evaluate-minutes": 0, "selfplay.warmup-positions": 0,
               "selfplay.games": 4, "replay.min-positions": 20, "search.simulations": 2, "learner.batch": 8}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    assert main(["train", HOLDING, "--out", "run", *words]) == 0
    assert (tmp_path / "here" / "run" / "checkpoints").is_dir()
    assert not any((tmp_path / "there").iterdir())
