"""The training loop: its pace, its ways to stop, and the processes beside it."""

from __future__ import annotations

import dataclasses
import errno
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from interrupts import interrupting
from tiny_runs import TINY, last, tiny, words

from games.base import GameError
from muzero import cli
from muzero.config import Config, ConfigError
from muzero.errors import INTERRUPTED
from muzero.learning.learner import Learner, LearningError
from muzero.model.protocol import SearchError
from muzero.replay import prefetch
from muzero.replay.buffer import Replay
from muzero.storage import checkpoint, disk, metrics, runs
from muzero.storage.checkpoint import CheckpointError
from muzero.training import actors, loop, processes, sources
from muzero.training.in_process import InProcess
from muzero.training.source import ActorError
from muzero.view.progress import Progress
from selfplay.actor import Actor

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[2]
OWN = "games.examples.subtraction:Subtraction"
ACTING = tiny(train__actors=1, train__log_seconds=0.0, train__steps=8, train__horizon=8)
ENDLESS = tiny(train__actors=1, train__steps=10**6, train__log_seconds=0.0, train__checkpoint_seconds=0.2)
WAIT = 60.0
"""Seconds after which something that should happen counts as not happening."""


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


# --- pace ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> loop.Run:
    return loop.Run(TINY, tmp_path)


def test_learning_begins_with_enough_positions_and_keeps_the_ratio(run: loop.Run) -> None:
    while run.state.learner.steps < 12:
        before = run.state.learner.steps
        run.advance()
        if run.state.learner.steps > before:
            assert len(run.state.replay) >= TINY.replay.min_positions
            assert run.state.drawn <= TINY.learner.replay_ratio * run.state.replay.added
    assert run.state.drawn == 12 * 16, "12 of 20 steps: the larger batch comes after"
    run.advance()
    while run.state.learner.steps < 14:
        run.advance()
    assert run.state.drawn == 12 * 16 + 2 * 24


def test_minutes_of_cpu_time_pass_only_while_the_run_works(tmp_path: Path) -> None:
    run = loop.Run(tiny(train__minutes=50.0, train__clock="cpu"), tmp_path)
    run.state.clock.start()
    cpu, before = time.process_time(), run.state.clock.elapsed
    time.sleep(0.3)
    assert run.state.clock.elapsed - before == pytest.approx(time.process_time() - cpu, abs=0.05)
    assert run.state.clock.elapsed - before < 0.25


def test_random_play_until_the_warm_up_is_over(tmp_path: Path) -> None:
    run = loop.Run(tiny(selfplay__warmup_positions=130, train__publish_steps=1), tmp_path)
    assert isinstance(run.state.source, InProcess)
    while not run.state.source.playing:
        assert run.state.source.actor.counters.simulations == 0
        run.advance()
    assert run.state.replay.added >= 130
    assert run.state.learner.steps > 1, "learning doesn't wait for it"


def test_weights_are_published_every_so_many_steps(run: loop.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    publish = run.state.source.publish
    monkeypatch.setattr(
        run.state.source, "publish", lambda *args: (seen.append(run.state.learner.steps), publish(*args)))
    while run.state.learner.steps < 8:
        run.advance()
    assert seen == [0, 3, 6]


def test_progress_follows_steps_or_time(run: loop.Run) -> None:
    run.state.learner.steps = 5
    assert run.state.progress == 0.25
    run.state.learner.steps = 50
    assert run.state.progress == 1.0
    assert run.state.done
    timed = dataclasses.replace(TINY.train, steps=0, minutes=2.0, horizon=0)
    run.state.config = dataclasses.replace(TINY, train=timed)
    run.state.clock.before = 60.0
    assert run.state.progress == pytest.approx(0.5, abs=0.05)
    assert not run.state.done
    run.state.clock.before = 120.0
    assert run.state.progress == 1.0
    assert run.state.done


def test_a_timed_run_remembers_its_time(tmp_path: Path) -> None:
    run = loop.Run(tiny(train__minutes=50.0), tmp_path)
    run.state.clock.before = 600.0
    run.folder.save()
    again = loop.Run(tiny(train__minutes=50.0), tmp_path)
    again.resume(last(tmp_path))
    assert 600.0 <= again.state.clock.elapsed < 660.0


# --- ways to stop -------------------------------------------------------------------------------------------


def test_figures_of_every_report_are_written(tmp_path: Path) -> None:
    shown: list[Progress] = []
    assert loop.run(tiny(train__log_seconds=0.0, train__steps=5), tmp_path, report=shown.append) == 0
    assert shown[0].status == "playing the first games"
    assert shown[-1].status == "done and saved"
    assert shown[-1].step == 5
    assert {"total", "policy", "value", "reward", "gradient_norm"} <= shown[-1].losses.keys()
    records = [record for record in metrics.read(tmp_path) if record["step"] == 5]
    assert {"loss/policy", "check/recall@1", "run/replay_ratio", "run/positions"} <= records[-1].keys()
    assert all(np.isfinite(value) for name, value in records[-1].items() if name.startswith("loss/"))


def test_ctrl_c_saves_and_a_second_one_leaves_at_once(tmp_path: Path) -> None:
    def once(progress: Progress) -> None:
        if progress.step == 2 and progress.status == "training":
            signal.raise_signal(signal.SIGINT)

    def twice(progress: Progress) -> None:
        if progress.step == 5 and progress.status == "training":
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    config = tiny(train__log_seconds=0.0)
    assert loop.run(config, tmp_path, report=once) == 130
    assert last(tmp_path).name == "step-00000002"
    with pytest.raises(KeyboardInterrupt):
        loop.run(config, tmp_path, report=twice)
    assert last(tmp_path).name == "step-00000002", "it left without a word"
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert loop.run(config, tmp_path) == 0, "the folder is free again"


def test_a_run_in_another_thread_leaves_signals_alone(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(loop.run(tiny(train__steps=1), tmp_path)))
    thread.start()
    thread.join()
    assert codes == [0]


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with runs.lock(tmp_path), pytest.raises(runs.Locked, match=f"in use by process {os.getpid()}"):
        loop.run(TINY, tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole"
    assert loop.run(TINY, whole) == 0
    out = tmp_path / "full"
    assert loop.run(tiny(train__steps=10), out) == 0
    write = disk.write_file

    def full(path: Path, chunks: Any) -> Any:
        if path.name == "replay.safetensors":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, chunks)

    monkeypatch.setattr(disk, "write_file", full)
    with pytest.raises(CheckpointError, match=r"step 20 could not be saved.*the disk is full"):
        loop.run(TINY, out)
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-00000010"]
    monkeypatch.undo()
    assert loop.run(TINY, out) == 0
    assert checkpoint.same_content(last(whole), last(out)) == []


def folders(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "checkpoints").iterdir())


def test_a_batch_with_nan_leaves_the_checkpoints_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loop.run(tiny(train__steps=2), tmp_path) == 0
    assert loop.run(tiny(train__steps=4), tmp_path) == 0
    draw = prefetch.draw

    def spoilt(replay: Replay, *args: Any) -> Any:
        batch = draw(replay, *args)
        if replay.added > 120:
            batch.value[0, 1] = np.nan
        return batch

    monkeypatch.setattr(prefetch, "draw", spoilt)
    for _ in range(3):
        with pytest.raises(LearningError, match="loss nan"):
            loop.run(TINY, tmp_path)
        assert folders(tmp_path) == ["step-00000002", "step-00000004"]
    monkeypatch.undo()
    assert loop.run(TINY, tmp_path) == 0


def after_step(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[Learner], None]) -> None:
    """Let `act` follow learning step `number`."""
    step = Learner.step

    def and_act(self: Learner, *args: Any) -> Any:
        report = step(self, *args)
        if self.steps == number:
            act(self)
        return report

    monkeypatch.setattr(Learner, "step", and_act)


def spoil(learner: Learner) -> None:
    next(learner.model.parameters()).detach()[0] = np.inf


@pytest.mark.parametrize("settings", [{"train__checkpoint_seconds": 0.0}, {"train__steps": 5}, {"train__actors": 1}])
def test_weights_that_are_not_finite_are_never_saved_or_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """Found when saving now and then, when saving at the end, when the actors shall have them."""
    assert loop.run(tiny(train__steps=2), tmp_path) == 0
    after_step(monkeypatch, 5 if settings != {"train__actors": 1} else 6, spoil)
    with pytest.raises(LearningError, match=r"step [56]: weights not finite in: .*Lower learner.learning_rate"):
        loop.run(tiny(**settings), tmp_path)
    assert last(tmp_path).name in ("step-00000002", "step-00000004")
    monkeypatch.undo()
    assert loop.run(TINY, tmp_path) == 0


@pytest.mark.parametrize("kind", [SearchError, GameError])
def test_self_play_that_fails_leaves_the_last_good_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def fail(*_: Any) -> NoReturn:
        raise kind("no move")

    after_step(monkeypatch, 7, lambda _: monkeypatch.setattr(Actor, "play", fail))
    with pytest.raises(kind, match="no move"):
        loop.run(TINY, tmp_path)
    stored = checkpoint.load(last(tmp_path))
    assert stored.step >= 7
    assert ("actor" in stored.state) == ("actors" in stored.tensors) == (kind is SearchError)
    monkeypatch.undo()
    assert loop.run(TINY, tmp_path) == 0


def test_a_search_that_fails_with_spoilt_weights_is_told_by_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> NoReturn:
        raise SearchError("the model's outputs are not finite")

    after_step(monkeypatch, 7, lambda learner: (spoil(learner), monkeypatch.setattr(Actor, "play", fail)))
    with pytest.raises(LearningError, match="step 7: weights not finite") as error:
        # So few samples a position that moves come between any two steps.
        loop.run(tiny(train__publish_steps=1000, learner__replay_ratio=0.2), tmp_path)
    assert isinstance(error.value.__context__, SearchError)
    assert runs.newest(tmp_path) is None


# --- matches on the way -------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = interrupting(monkeypatch)
    assert loop.run(tiny(train__evaluate_minutes=1e-9), tmp_path) == INTERRUPTED
    assert moves == [0]
    assert runs.newest(tmp_path) is not None


def test_an_opponent_that_can_not_be_had_is_refused_before_the_start(tmp_path: Path) -> None:
    config = tiny(game=OWN, train__evaluate_against="perfect", train__evaluate_minutes=1.0, train__actors=1)
    with pytest.raises(ConfigError, match=r"train\.evaluate_against: .*not an OpenSpiel game"):
        loop.run(config, tmp_path)
    assert multiprocessing.active_children() == []
    with pytest.raises(ConfigError, match=r"train\.evaluate_against: hex\(board_size=6\): .* too large"):
        loop.run(dataclasses.replace(config, game="hex(board_size=6)"), tmp_path)
    silent = dataclasses.replace(config, train=dataclasses.replace(config.train, evaluate_minutes=0.0))
    assert loop.opponent_of(silent) is None
    assert loop.opponent_of(tiny(game="catch", train__evaluate_minutes=1.0)) is None


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"train\.device cuda: .* set it to auto or cpu"):
        loop.run(tiny(train__device="cuda"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "value"), [("model__value__low", 0.0), ("model__reward__high", 0.5), ("search__low", -0.1)])
def test_outcomes_that_can_not_be_stated_are_refused(tmp_path: Path, setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=r"the returns of tic_tac_toe, -1 to 1, got"):
        loop.run(tiny(**{setting: value}), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the command --------------------------------------------------------------------------------------------


def test_training_goes_on_when_nobody_reads_its_reports(tmp_path: Path) -> None:
    """The reader leaves after the first report, and the next one comes while there is still something to do."""
    out = tmp_path / "run"
    trained = f"{sys.executable} -m muzero train {' '.join(words(out))} --train.log-seconds 0.001"
    command = f"{trained} 2>&1 | grep -m1 'first games'; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, check=False, timeout=WAIT, capture_output=True)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)
    assert last(out).name == "step-00000002"


def test_the_next_commands_of_a_game_of_ones_own_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", OWN, *words(tmp_path / "run")[1:]]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "measure it:" in line)
    command = shlex.split(line.partition("muzero ")[2])
    assert cli.main([*command, "--games", "2", "--simulations", "2"]) == 0


def test_the_next_commands_of_one_player_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "catch", *words(tmp_path / "run")[1:]]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "measure it:" in line)
    assert cli.main([*shlex.split(line.partition("muzero ")[2]), "--episodes", "2"]) == 0


def test_a_run_at_work_is_not_set_aside(tmp_path: Path) -> None:
    from muzero.commands.train import run as command

    out = tmp_path / "run"
    assert command(words(out)) == 0
    with runs.lock(out), pytest.raises(runs.Locked, match=f"in use by process {os.getpid()}"):
        command([*words(out), "--fresh"])
    with pytest.raises(ConfigError, match=r"learner\.gamma"):
        command([*words(out), "--fresh", "--learner.gamma", "3"])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    for name in ("lock", "sizing.json", "metrics.jsonl"):
        (tmp_path / "killed").mkdir(exist_ok=True)
        (tmp_path / "killed" / name).write_text("")
    assert command([*words(tmp_path / "killed"), "--fresh"]) == 0, "what a run leaves that never came to a checkpoint"
    (tmp_path / "file").write_text("dear")
    with pytest.raises(CheckpointError, match="expected a folder, found a file"):
        command([*words(tmp_path / "file"), "--fresh"])


# --- processes ----------------------------------------------------------------------------------------------


def test_actors_play_and_stop_and_the_run_goes_on_without(tmp_path: Path) -> None:
    shown: list[Progress] = []
    assert loop.run(ACTING, tmp_path, report=shown.append) == 0
    assert multiprocessing.active_children() == []
    assert shown[-1].step == 8
    assert shown[-1].games > 0
    ratios = [progress.replay_ratio for progress in shown if progress.step > 2]
    assert max(ratios) <= TINY.learner.replay_ratio
    assert sum(progress.simulations_per_s for progress in shown) >= 0.0
    assert loop.run(tiny(train__steps=10), tmp_path) == 0
    assert last(tmp_path).name == "step-00000010"


def test_an_actor_that_is_killed_ends_the_run_with_its_cause(tmp_path: Path) -> None:
    def kill(progress: Progress) -> None:
        if progress.step == 2:
            for process in multiprocessing.active_children():
                process.kill()

    endless = dataclasses.replace(ACTING, train=dataclasses.replace(ACTING.train, steps=10**6))
    with pytest.raises(ActorError, match=r"self-play process 0 ended unexpectedly \(exit code -9\)"):
        loop.run(endless, tmp_path, report=kill)
    assert multiprocessing.active_children() == []
    assert checkpoint.load(last(tmp_path)).step >= 2


def test_actors_leave_it_to_the_run_to_heed_sigterm(tmp_path: Path) -> None:
    told: list[int] = []

    def stop(progress: Progress) -> None:
        if progress.step >= 2 and not told:
            told.extend(process.pid or 0 for process in multiprocessing.active_children())
            for pid in told:
                os.kill(pid, signal.SIGTERM)

    longer = dataclasses.replace(ACTING, train=dataclasses.replace(ACTING.train, steps=60))
    assert loop.run(longer, tmp_path, report=stop) == 0
    assert len(told) == ACTING.train.actors
    assert multiprocessing.active_children() == []
    assert checkpoint.load(last(tmp_path)).step == 60


def test_actors_play_other_games_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def refuse(config: Config, start: int) -> NoReturn:
        begun.append(start)
        raise ActorError("no")

    assert loop.run(tiny(train__steps=2), tmp_path) == 0
    monkeypatch.setattr(sources, "Processes", refuse)
    with pytest.raises(ActorError):
        loop.run(ACTING, tmp_path)
    monkeypatch.setattr(processes, "make_actor", lambda config, index, start: refuse(config, start))
    with pytest.raises(ActorError):
        processes._act(ACTING, 0, 7, None, None, os.getpid())  # type: ignore[arg-type]
    assert begun == [2, 7]
    monkeypatch.undo()
    states = [str(actors.make_actor(ACTING, 1, start).rng.bit_generator.state) for start in (0, 2, 2)]
    assert states[0] != states[1] == states[2]


BROKEN_GAME = """
import numpy as np
from games.examples.subtraction import Subtraction


class Broken(Subtraction):
    def step(self, action):
        if self.pile < 9:
            raise ArithmeticError("the pile is out of tune")
        return super().step(action)
"""


def test_an_actor_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN_GAME)
    config = dataclasses.replace(ACTING, game=f"{tmp_path}/broken.py:Broken")
    with pytest.raises(ActorError, match=r"self-play process 0 failed:(\n.*)*the pile is out of tune"):
        loop.run(config, tmp_path / "run")
    assert multiprocessing.active_children() == []
    assert last(tmp_path / "run").name == "step-00000000"


def test_what_fails_before_the_first_move_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise CheckpointError("no")

    monkeypatch.setattr(loop, "Metrics", refuse)
    with pytest.raises(CheckpointError, match="no"):
        loop.run(ACTING, tmp_path)
    with pytest.raises(ConfigError, match="memory_limit_mb"):
        loop.run(dataclasses.replace(
            ACTING, replay=dataclasses.replace(ACTING.replay, capacity=10**7, memory_limit_mb=1)), tmp_path)
    assert multiprocessing.active_children() == []
