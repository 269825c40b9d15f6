"""A disk that fails for a moment, files of any size, and what a kill leaves half done: nothing is lost.

Only what is not found is absent. What can't be looked at is an error, never an empty place.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from tiny_runs import TINY, last, tiny, words

from muzero.commands.train import run as command
from muzero.config import ConfigError
from muzero.evaluation import kept as measurements
from muzero.play import filming
from muzero.presets import survey
from muzero.reports import files
from muzero.storage import agent_folder, checkpoint, disk, metrics, runs
from muzero.storage.disk import TEMPORARY, CheckpointError, Damaged
from muzero.storage.metrics import Metrics
from muzero.training import loop
from muzero.view.console import CommandError

ROOT = Path(__file__).parents[2]


def everything(folder: Path) -> dict[str, bytes]:
    """All files in `folder` with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a disk fail whenever a certain path is looked at."""

    def spoil(sick: Path) -> None:
        def failing(name: str) -> Callable[..., Any]:
            healthy = getattr(os, name)

            def look(path: Any, *args: Any, **options: Any) -> Any:
                if not isinstance(path, int) and Path(path) == sick:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
                return healthy(path, *args, **options)

            return look

        for name in ("stat", "lstat", "listdir", "scandir", "open"):
            monkeypatch.setattr(os, name, failing(name))

    return spoil


# --- what can't be looked at --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("short")
    assert loop.run(tiny(train__steps=2), out) == 0
    return out


@pytest.mark.parametrize("name", [
    "metrics.jsonl", "checkpoints", "checkpoints/step-00000002", "checkpoints/step-00000002/manifest.json",
    "snapshots"])
def test_a_disk_that_fails_once_costs_a_run_nothing(
    short_run: Path, ill: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = everything(short_run)
    assert before["metrics.jsonl"]
    ill(short_run / name)
    with pytest.raises(CheckpointError, match="the disk reports a fault"):
        loop.run(TINY, short_run)
    monkeypatch.undo()
    after = everything(short_run)
    del before["lock"], after["lock"]
    assert after == before


def test_a_run_that_can_not_be_read_is_not_set_aside_or_begun_anew(
    short_run: Path, ill: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ill(short_run / "checkpoints")
    for options in ([], ["--fresh"]):
        with pytest.raises(CheckpointError, match="the disk reports a fault"):
            command([*words(short_run), *options])
    with pytest.raises(CheckpointError, match="the disk reports a fault"):
        runs.resolve(str(short_run))
    monkeypatch.undo()
    assert runs.newest(short_run) == last(short_run)


def test_absent_is_only_what_is_not_found(tmp_path: Path, ill: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for absent in (tmp_path / "nothing", tmp_path / "file" / "inside", tmp_path / ("x" * 300), Path("a\0b")):
        assert disk.mode_of(absent) is None
        assert not disk.is_there(absent)
    assert disk.is_there(tmp_path / "link")
    assert disk.mode_of(tmp_path / "link") is None
    assert disk.is_file(tmp_path / "file")
    assert disk.is_folder(tmp_path)
    ill(tmp_path / "file")
    for ask in (disk.mode_of, disk.is_there, disk.is_file, disk.is_folder):
        with pytest.raises(OSError, match="Input/output error"):
            ask(tmp_path / "file")


def asks(path: Path) -> list[int]:
    """Lines that ask whether something is there in a way that takes an error for a no."""
    swallowing = {"exists", "lexists", "isfile", "isdir", "is_file", "is_dir"}
    return [
        node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute) and node.func.attr in swallowing
        and ast.unparse(node.func.value) != "disk"
    ]


ASKING = {
    str(path.relative_to(ROOT / "muzero"))
    for which in ("storage/*.py", "training/*.py", "evaluation/*.py", "reports/*.py", "commands/train*.py")
    for path in (ROOT / "muzero").glob(which)
}
ALLOWED = {"evaluation/provenance.py": 1}
"""git's own folder is asked for"""


@pytest.mark.parametrize("name", sorted(ASKING))
def test_what_is_there_is_asked_of_the_disk(name: str) -> None:
    """pathlib and os.path say no where the disk said nothing."""
    found = asks(ROOT / "muzero" / name)
    assert len(found) == ALLOWED.get(name, 0)


def test_a_measurement_that_can_not_be_read_is_kept(tmp_path: Path, ill: Callable[[Path], None]) -> None:
    kept = tmp_path / "evaluation.json"
    kept.write_text("{}")
    assert measurements.weighed(kept, {}) == (True, "held no evaluation and was replaced")
    ill(kept)
    assert measurements.weighed(kept, {}) == (False, "stays as it is: it could not be read (Input/output error)")


def test_a_measurement_that_can_not_be_written_ends_a_run_that_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Metrics.write

    def fail_at_five(self: Metrics, step: int, values: Any) -> None:
        if step == 5:
            raise CheckpointError("the disk reports a fault")
        write(self, step, values)

    monkeypatch.setattr(Metrics, "write", fail_at_five)
    with pytest.raises(CheckpointError, match="the disk reports a fault"):
        loop.run(tiny(train__log_seconds=0.0), tmp_path)
    assert last(tmp_path).name == "step-00000005"
    monkeypatch.undo()
    assert loop.run(TINY, tmp_path) == 0


# --- measurements of any size -------------------------------------------------------------------------------


def lines(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_bytes().splitlines()]


def test_a_long_run_is_shortened_by_its_end_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines longer and shorter than what is read at a time, at every place of the cut."""
    monkeypatch.setattr(metrics, "BLOCK", 32)
    path = tmp_path / metrics.FILE
    steps = [0, 1, 1, 2, 3, 5, 8]
    text = [json.dumps({"step": step, "x": "y" * (7 * number)}) for number, step in enumerate(steps)]
    for last_step in range(-1, 10):
        path.write_text("\n".join([*text, '{"step": 9, "torn']))
        Metrics(tmp_path, tensorboard=False).truncate(last_step)
        assert lines(path) == [step for step in steps if step <= last_step]
        assert path.read_bytes().endswith(b"\n") or last_step < 0


def test_a_file_of_many_gigabytes_ends_no_resume(tmp_path: Path) -> None:
    path = tmp_path / metrics.FILE
    with path.open("wb") as file:
        file.write(b'{"step": 1}')
        file.seek(3 << 30)  # a hole, which takes no room
        file.write(b'\n{"step": 2}\n{"step": 3}\n{"step": 4')
    Metrics(tmp_path, tensorboard=False).truncate(2)
    with path.open("rb") as file:
        assert file.seek(0, os.SEEK_END) == (3 << 30) + 13
    with pytest.raises(Damaged, match="at most"):
        metrics.read(tmp_path)


# --- what a kill leaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--fresh"]])
def test_a_run_killed_in_its_first_second_can_be_begun_again(tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "run"
    (out / "checkpoints" / f"{TEMPORARY}1234").mkdir(parents=True)
    for name in (f"{TEMPORARY}1234", f"{TEMPORARY}sizing.json", "lock", metrics.FILE):
        (out / name).write_text("")
    (out / f"{TEMPORARY}film.mp4").write_text("being filmed by somebody else")
    assert command([*words(out), *options]) == 0
    left = {path.name for path in out.rglob(f"{TEMPORARY}*")}
    assert left == (set() if options else {f"{TEMPORARY}film.mp4", f"{TEMPORARY}sizing.json"})


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a training whose game pays what no support states, after it locked its folder."""
    def look(*_: Any) -> NoReturn:
        raise ConfigError("rescale the game's rewards")

    monkeypatch.setattr(survey, "measure", look)

    def begin(out: Path, *options: str) -> None:
        with pytest.raises(ConfigError):
            command([*words(out), "--model.value.bins", "0", *options])

    return begin


def test_a_run_that_is_refused_leaves_no_folder(tmp_path: Path, refused: Callable[..., None]) -> None:
    refused(tmp_path / "a" / "b" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["cpu", "nowhere"])
def test_nor_does_one_refused_after_it_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    def refuse(*_: Any) -> NoReturn:
        assert {path.name for path in (tmp_path / "run").iterdir()} == {"lock", "survey.json"}
        raise ConfigError("no such device")

    if device == "nowhere":
        monkeypatch.setattr(loop, "device_of", refuse)
        with pytest.raises(ConfigError):
            command([*words(tmp_path / "run"), "--model.value.bins", "0"])
    else:
        assert command([*words(tmp_path / "run"), "--model.value.bins", "0"]) == 0
    assert (tmp_path / "run").exists() == (device == "cpu")


def test_a_refused_run_takes_nothing_along_that_was_there(tmp_path: Path, refused: Callable[..., None]) -> None:
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    refused(tmp_path / "mine" / "run")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert (tmp_path / "empty").is_dir()
    assert command(words(tmp_path / "trained")) == 0
    before = everything(tmp_path / "trained")
    refused(tmp_path / "trained", "--fresh")
    assert everything(tmp_path / "trained.old1") == before
    assert not (tmp_path / "trained").exists()


def test_a_refused_run_leaves_a_folder_that_others_use(tmp_path: Path) -> None:
    """It was made for this one, but another process holds it by now, or has left something in it."""
    def left(name: str) -> None:
        with runs.leaving_nothing(tmp_path / name, ()):
            others.enter_context(runs.lock(tmp_path / name))
            if name == "used":
                others.close()
                (tmp_path / name / "notes").touch()
            raise ZeroDivisionError

    for name in ("used", "held"):
        with contextlib.ExitStack() as others, pytest.raises(ZeroDivisionError):
            left(name)
        assert (tmp_path / name).is_dir()
    assert (tmp_path / "used" / "notes").exists()


def test_a_folder_that_is_no_run_is_still_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(CommandError, match="holds no run"):
        command([*words(tmp_path), "--fresh"])


def agent(target: Path, step: int) -> Path:
    return agent_folder.write(target, step, {"w": np.zeros(2, np.float32)}, TINY, {"score": step})


def test_an_agent_half_replaced_is_there_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill after the old one had left its place and before the new one had it."""
    target = agent(tmp_path / "agent", 1)
    target.rename(tmp_path / f"{TEMPORARY}old-agent")
    (tmp_path / f"{TEMPORARY}new-agent").mkdir()

    def full(*_: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "write_file", full)
    with pytest.raises(CheckpointError, match="the disk is full"):
        agent(target, 2)
    assert checkpoint.load(target).step == 1
    monkeypatch.undo()
    assert checkpoint.load(agent(target, 2)).step == 2
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_leftovers_of_any_kind_are_removed(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY}1" / "inside").mkdir(parents=True)
    (tmp_path / f"{TEMPORARY}2").write_text("")
    (tmp_path / f"{TEMPORARY}3").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    runs.remove_leftovers(tmp_path)
    runs.remove_leftovers(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_results_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    files.write_json(target, {"a": 1})
    (tmp_path / f"{TEMPORARY}result.json").write_text("of a kill")

    def half(path: Path, chunks: Any) -> NoReturn:
        path.write_bytes(b"{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "write_file", half)
    with pytest.raises(CommandError, match="No space left"):
        files.write_json(target, {"a": 2})
    monkeypatch.undo()
    assert json.loads(target.read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    (tmp_path / "link").symlink_to(target)
    files.write_json(tmp_path / "link", {"a": 3})
    assert (tmp_path / "link").is_symlink()
    assert json.loads(target.read_text()) == {"a": 3}
    files.write_json(Path(os.devnull), {"a": 4})
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_film_killed_halfway_leaves_nothing_once_it_is_filmed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / f"{TEMPORARY}game.gif"
    left.write_bytes(b"half a film")
    monkeypatch.setattr(filming, "_write_gif", lambda path, moments: path.write_bytes(b"the film"))
    filming.write(tmp_path / "game.gif", iter(()))
    assert everything(tmp_path) == {"game.gif": b"the film"}
