"""How a run begins and ends for people: its time is its training's, random play is named, the last figures are of the
last agent, and a run that was too short says so."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupts import interrupting
from tiny_runs import last, tiny

from muzero import cli
from muzero.errors import INTERRUPTED
from muzero.storage import checkpoint, metrics
from muzero.training import loop
from muzero.training.interrupt import Interrupt
from muzero.training.saving import RunFolder
from muzero.view.progress import RANDOM_PLAY, Progress

torch.set_num_threads(1)
SMALL = ("--train.actors", "0", "--selfplay.games", "8", "--learner.batch", "16", "--train.device", "cpu",
         "--replay.min-positions", "64", "--selfplay.warmup-positions", "8")
RARELY = {"train__evaluate_minutes": 1e6, "train__evaluate_games": 2, "train__log_seconds": 0.0}
Captured = pytest.CaptureFixture[str]


def reports(out: Path, **settings: Any) -> list[Progress]:
    """All reports of a run to its limit."""
    shown: list[Progress] = []
    assert loop.run(tiny(**settings), out, report=shown.append) == 0
    return shown


def test_starting_takes_no_time_from_the_training(tmp_path: Path) -> None:
    run = loop.Run(tiny(train__minutes=50.0), tmp_path)
    run.state.clock.before = 600.0
    run.folder.save()
    again = loop.Run(tiny(train__minutes=50.0), tmp_path)
    again.resume(last(tmp_path))
    assert again.state.clock.elapsed == 600.0
    again.state.clock.read = lambda: 5000.0
    stop = Interrupt()
    stop.asked = True
    assert again.go(lambda _: None, stop) == INTERRUPTED
    assert checkpoint.load(last(tmp_path), ()).elapsed == 600.0


# --- the last evaluation ------------------------------------------------------------------------------------


def test_the_last_evaluation_is_of_the_agent_at_the_end(tmp_path: Path) -> None:
    shown = reports(tmp_path, **RARELY)
    assert shown[-1].evaluation.endswith("at step 20")
    assert shown[-2].status == "a last evaluation"
    assert [record["step"] for record in metrics.read(tmp_path) if "evaluation/score" in record] == [20]


def test_what_was_evaluated_at_the_end_is_not_evaluated_again(tmp_path: Path) -> None:
    often = reports(tmp_path, **{**RARELY, "train__evaluate_minutes": 1e-9})
    assert often[-1].evaluation.endswith("at step 20")
    for shown in (often, reports(tmp_path, **RARELY), reports(tmp_path / "silent")):
        assert "a last evaluation" not in [progress.status for progress in shown]


def test_saving_and_the_last_evaluation_take_no_time_of_the_training(tmp_path: Path) -> None:
    shown = reports(tmp_path, **RARELY)
    assert shown[-1].elapsed_s == shown[-2].elapsed_s == checkpoint.load(last(tmp_path), ()).elapsed


def test_ctrl_c_ends_the_last_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = interrupting(monkeypatch)
    assert loop.run(tiny(**RARELY), tmp_path) == INTERRUPTED
    assert moves == [0]
    assert last(tmp_path).name == "step-00000020"


@pytest.mark.parametrize(("minutes", "said"), [("9999", "the last evaluation was skipped; measure it"),
                                               ("0", "measure it")])
def test_a_run_stopped_at_its_limit_is_not_to_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, minutes: str, said: str
) -> None:
    save = RunFolder.save

    def stopped(folder: RunFolder, unfinished: bool = True) -> None:
        signal.raise_signal(signal.SIGINT)
        save(folder, unfinished)

    monkeypatch.setattr(RunFolder, "save", stopped)
    out = str(tmp_path / "run")
    assert cli.main(["train", "tic_tac_toe", "--out", out, "--steps", "2", *SMALL,
                     "--train.evaluate-minutes", minutes]) == INTERRUPTED
    told = capsys.readouterr().err
    assert f"trained to step 2, the limit, and saved; {said}: muzero evaluate match {out} --against random" in told
    assert "continue with" not in told


def test_a_run_that_is_stopped_evaluates_no_more(tmp_path: Path) -> None:
    shown: list[Progress] = []

    def stop(progress: Progress) -> None:
        shown.append(progress)
        if progress.step == 3 and progress.status == "training":
            signal.raise_signal(signal.SIGINT)

    assert loop.run(tiny(**RARELY), tmp_path, report=stop) == INTERRUPTED
    assert "a last evaluation" not in [progress.status for progress in shown]


# --- random play first --------------------------------------------------------------------------------------


def test_random_play_is_named_while_it_lasts(tmp_path: Path) -> None:
    shown = reports(tmp_path, train__log_seconds=0.0, selfplay__warmup_positions=130)
    for progress in shown[:-1]:
        assert (progress.status == RANDOM_PLAY) == (progress.positions < 130) == (progress.warmup_positions == 130)
    assert {RANDOM_PLAY, "training"} <= {progress.status for progress in shown}
    assert "playing the first games" not in {progress.status for progress in shown}


@pytest.fixture
def trained(tmp_path: Path, capsys: Captured) -> Callable[..., str]:
    """What is said at the end of a training by command."""

    def said(*options: str) -> str:
        command = ["train", "tic_tac_toe", "--out", str(tmp_path / "run"), "--train.actors", "0", "--selfplay.games",
                   "8", "--learner.batch", "16", "--train.evaluate-minutes", "0", "--train.device", "cpu"]
        assert cli.main([*command, *options]) == 0
        return capsys.readouterr().out

    return said


def test_a_run_that_ends_in_its_random_play_says_so(trained: Callable[..., str], tmp_path: Path) -> None:
    short = ("--steps", "2", "--replay.min-positions", "64", "--selfplay.warmup-positions", "5000")
    for again in (short, ()):
        said = trained(*again)
        assert "too short: no searches yet: all " in said
        assert " positions were random play, which goes on up to 5,000" in said
        assert f"go further with: muzero train {tmp_path / 'run'} --steps 4" in said


def test_a_run_that_ends_before_it_learns_says_so(trained: Callable[..., str], tmp_path: Path) -> None:
    said = trained("--minutes", "0.0001", "--replay.min-positions", "5000", "--replay.capacity", "6000")
    assert "too short: no learning yet from " in said
    assert f"go further with: muzero train {tmp_path / 'run'} --minutes 0.0002" in said


def test_a_run_that_is_long_enough_is_not_called_short(trained: Callable[..., str]) -> None:
    few = ("--replay.min-positions", "64", "--selfplay.warmup-positions", "8")
    assert "too short" not in trained("--steps", "40", *few)


def test_a_run_that_learned_from_no_search_says_so(trained: Callable[..., str]) -> None:
    """Warm-up is over, and what was drawn so far comes from it."""
    few = ("--replay.min-positions", "64", "--selfplay.warmup-positions", "64")
    assert "too short: no learning from searches yet" in trained("--steps", "2", *few)
