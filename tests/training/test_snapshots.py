"""Strength on the way: agents a run leaves behind, and what its short matches say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from tiny_runs import TINY, last, tiny, whole_run

from muzero import agent, cli
from muzero.learning.learner import LearningError
from muzero.storage import checkpoint, metrics, runs
from muzero.storage.checkpoint import Damaged
from muzero.training import loop
from muzero.training.interrupt import Interrupt
from muzero.training.rating import verdict
from muzero.training.saving import RunFolder
from muzero.view.console import OK
from selfplay.strength.arena import Score

torch.set_num_threads(1)


def begun(out: Path, minutes: float, steps: int = 1) -> loop.Run:
    """A run some learning steps old whose clock is set by `elapsed_before`."""
    run = loop.Run(tiny(train__snapshot_minutes=minutes), out)
    while run.state.learner.steps < steps:
        run.advance()
    return run


def left(run: loop.Run, minutes: float) -> list[str]:
    """Names of the snapshots after `minutes` of training."""
    run.state.clock.before = 60.0 * minutes
    run.folder.leave_snapshot()
    return [path.name for path in runs.snapshots(run.folder.out)]


def test_a_snapshot_at_every_multiple_of_the_minutes(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=5.0)
    assert left(run, 4.0) == []
    assert left(run, 5.1) == left(run, 9.0) == ["step-00000001"]
    run.advance()
    step = run.state.learner.steps
    assert left(run, 21.0) == ["step-00000001", f"step-{step:08d}"], "one for several that were missed"
    assert runs.newest(tmp_path) is None, "a snapshot is no checkpoint"


def test_what_a_kill_left_is_no_part_of_the_line_that_goes_on(tmp_path: Path) -> None:
    """A killed run's snapshots and measurements later than its checkpoint, or all of them if it has none."""
    killed = begun(tmp_path, minutes=1.0, steps=3)
    left(killed, 1.5)
    killed.folder.metrics.write(3, {"x": 1.0})
    killed.folder.metrics.close()
    assert loop.run(tiny(train__steps=4), tmp_path) == 0
    assert runs.snapshots(tmp_path) == []
    assert {line["step"] for line in metrics.read(tmp_path)} == {4}
    later = loop.Run(tiny(train__snapshot_minutes=1.0, train__steps=9), tmp_path)
    later.resume(tmp_path / "checkpoints/step-00000004")
    left(later, 1.5)
    while later.state.learner.steps < 6:
        later.advance()
    left(later, 2.5)
    assert [path.name for path in runs.snapshots(tmp_path)] == ["step-00000004", "step-00000006"]
    assert loop.run(tiny(train__steps=5), tmp_path) == 0
    assert [path.name for path in runs.snapshots(tmp_path)] == ["step-00000004"]


def test_without_minutes_or_steps_there_are_none(tmp_path: Path) -> None:
    assert left(begun(tmp_path / "never", minutes=0.0), 1e5) == []
    assert left(begun(tmp_path / "early", minutes=1.0, steps=0), 1e5) == []
    assert not list(tmp_path.glob("*/snapshots"))


def test_a_snapshot_is_an_agent_with_the_weights_that_play(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=1.0, steps=3)
    name, = left(run, 1.5)
    folder = tmp_path / "snapshots" / name
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "card.json", "config.json", "manifest.json", "weights.safetensors"]
    loaded = agent.load(str(folder))
    assert (loaded.step, loaded.config) == (run.state.learner.steps, run.state.config)
    weights = run.state.learner.averaged.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in loaded.model.state_dict().items())
    assert json.loads((folder / "card.json").read_text())["minutes"].startswith("1.5")
    words = ["evaluate", str(folder), "--against", f"{folder}@0", "--games", "2", "--simulations", "2"]
    assert cli.main(words) == OK


def test_what_is_there_stays_and_what_a_kill_left_goes(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=1.0)
    name, = left(run, 1.0)
    folder = tmp_path / "snapshots" / name
    before = (folder / "manifest.json").stat().st_ino
    half = folder.parent / ".tmp-new-step-00000007"
    half.mkdir()
    assert left(run, 2.0) == [name]
    assert (folder / "manifest.json").stat().st_ino == before
    assert not half.exists()


def test_a_resumed_run_leaves_no_second_one_for_the_same_minutes(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=5.0)
    assert left(run, 11.0) == ["step-00000001"]
    run.folder.save()
    again = loop.Run(run.state.config, tmp_path)
    again.resume(last(tmp_path))
    again.advance()
    assert left(again, 14.9) == ["step-00000001"]
    assert len(left(again, 15.1)) == 2


def test_snapshots_change_nothing_in_training(tmp_path: Path) -> None:
    without = whole_run(TINY, tmp_path / "without")
    many = whole_run(tiny(train__snapshot_minutes=1e-9), tmp_path / "many")
    assert checkpoint.same_content(without, many) == ["config.json"], "the setting itself"
    found = runs.snapshots(tmp_path / "many")
    assert len(found) == TINY.train.steps
    assert checkpoint.load(found[-1]).step == TINY.train.steps


def test_a_snapshot_that_can_not_be_written_loses_no_training(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.raises(checkpoint.CheckpointError, match="snapshots"):
        loop.run(tiny(train__snapshot_minutes=1e-9), tmp_path)
    assert checkpoint.load(last(tmp_path)).step == 1


def test_a_match_that_takes_its_time_costs_no_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(train__snapshot_minutes=60.0, train__evaluate_minutes=1e-9, train__checkpoint_seconds=0.0)
    saved: list[int] = []

    def long_match(run: loop.Run, *_: object) -> None:
        run.state.clock.before += 3_600.0

    def save(folder: RunFolder) -> None:
        saved.append(folder.snapshots_due - folder.snapshots_left)

    monkeypatch.setattr(loop.Run, "evaluate", long_match)
    monkeypatch.setattr(RunFolder, "save", save)
    loop.run(config, tmp_path)
    assert saved
    assert not any(saved), "what a checkpoint counts as left behind is there"


def test_spoilt_weights_are_not_kept(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=1.0)
    with torch.no_grad():
        next(run.state.learner.averaged.parameters()).fill_(math.nan)
    with pytest.raises(LearningError, match="not finite"):
        left(run, 1.0)
    assert runs.snapshots(tmp_path) == []


def test_a_damaged_snapshot_is_no_checkpoint_to_go_back_from(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=1.0)
    left(run, 1.0)
    run.advance()
    left(run, 2.0)
    folder = runs.snapshots(tmp_path)[-1]
    (folder / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(Damaged, match="Get a fresh copy"):
        agent.load(str(folder))


# The rating of a short match.


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (Score(15, 2, 3), "rating +226 (95 % 69 to 407) over mcts:9, 15 won, 2 drawn, 3 lost"),
        (Score(10, 0, 10), "rating 0 (95 % -148 to 148) over"),
        (Score(19, 1, 0), "rating >= +261 over"),
        (Score(20, 0, 0), "rating >= +287 over"),
        (Score(0, 0, 20), "rating <= -287 over"),
        (Score(1, 1, 0), "rating +120 (95 % -185 to 522) over"),
    ],
)
def test_a_match_in_words(score: Score, words: str) -> None:
    told, values = verdict(score, "mcts:9")
    assert told.startswith(words)
    assert values["evaluation/score"] == score.share
    assert values["evaluation/rating_low"] <= values["evaluation/rating"] <= values["evaluation/rating_high"]
    assert math.isfinite(values["evaluation/rating"])


def test_the_rating_reaches_metrics_and_display(tmp_path: Path) -> None:
    run = begun(tmp_path, minutes=0.0)
    run.state.config = tiny(train__snapshot_minutes=0.0, train__evaluate_games=4)
    for opponent in ("random", "perfect"):
        run.opponent = loop.opponent_of(tiny(train__evaluate_minutes=1.0, train__evaluate_against=opponent))
        run.evaluate(lambda _: None, Interrupt())
    lines = [line for line in metrics.read(tmp_path) if "evaluation/rating" in line]
    assert len(lines) == 2
    assert all(line["evaluation/rating_low"] <= line["evaluation/rating"] for line in lines)
    shown = run.reporter.progress("training").evaluation
    assert shown.startswith("rating ")
    assert " over perfect, " in shown
    assert shown.endswith(f"at step {run.state.learner.steps:,}")
