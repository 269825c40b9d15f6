"""Curves survive kills and resumes, and every line is JSON that any tool reads."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from muzero.storage import metrics
from muzero.storage.checkpoint import CheckpointError, Damaged
from muzero.storage.metrics import Metrics
from muzero.view.progress import Progress


def curve(run: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard draws."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_lines_come_back(tmp_path: Path) -> None:
    run = tmp_path / "run"
    log = Metrics(run, tensorboard=False)
    assert metrics.read(run) == []
    log.write(1, {"loss/value": 0.5}, evaluation="3 of 4")
    log.write(2, {"loss/value": 0.25})
    assert metrics.read(run) == [
        {"step": 1, "loss/value": 0.5, "evaluation": "3 of 4"}, {"step": 2, "loss/value": 0.25},
    ]
    assert not (run / "tensorboard").exists()


def test_each_line_is_there_at_once(tmp_path: Path) -> None:
    log = Metrics(tmp_path, tensorboard=False)
    for step in range(3):
        log.write(step, {"x": step})
        assert len((tmp_path / "metrics.jsonl").read_bytes().splitlines()) == step + 1


def test_numbers_that_json_lacks(tmp_path: Path) -> None:
    Metrics(tmp_path, tensorboard=False).write(1, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1})

    def refuse(text: str) -> Any:
        raise AssertionError(text)

    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert line == {"step": 1, "a": "nan", "b": "inf", "c": "-inf", "d": 1.0}
    (record,) = metrics.read(tmp_path)
    assert math.isnan(record.pop("a"))
    assert record == {"step": 1, "b": math.inf, "c": -math.inf, "d": 1.0}


@pytest.mark.parametrize("line", [b"\377\376junk\n", b'{"a": 1}\n', b"[1]\n", b"{\n"])
def test_a_line_of_something_else_is_named_with_what_to_do(tmp_path: Path, line: bytes) -> None:
    Metrics(tmp_path, tensorboard=False).write(1, {"a": 1.0})
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(line)
    with pytest.raises(Damaged, match=r"metrics.jsonl line 2.*; delete that line to continue"):
        metrics.read(tmp_path)


def test_a_name_used_twice(tmp_path: Path) -> None:
    log = Metrics(tmp_path, tensorboard=False)
    with pytest.raises(ValueError, match="step twice"):
        log.write(1, {"step": 2.0})
    with pytest.raises(ValueError, match="loss twice"):
        log.write(1, {"loss": 2.0}, loss=3)
    assert metrics.read(tmp_path) == []


def test_a_torn_last_line_is_repaired(tmp_path: Path) -> None:
    Metrics(tmp_path, tensorboard=False).write(1, {"x": 1.0})
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"step": 2, "x": 3')
    assert [record["step"] for record in metrics.read(tmp_path)] == [1]
    Metrics(tmp_path, tensorboard=False).write(2, {"x": 2.0})
    assert metrics.read(tmp_path) == [{"step": 1, "x": 1.0}, {"step": 2, "x": 2.0}]
    path.write_bytes(b'{"step": 1')
    Metrics(tmp_path, tensorboard=False)
    assert path.read_bytes() == b""


def test_a_resumed_run_has_one_curve(tmp_path: Path) -> None:
    first = Metrics(tmp_path)
    for step in (10, 20, 30, 40):
        first.write(step, {"loss": float(step)})
    first.close()
    second = Metrics(tmp_path)
    second.truncate(20)
    assert [record["step"] for record in metrics.read(tmp_path)] == [10, 20]
    second.write(25, {"loss": 0.5})
    second.write(30, {"loss": 0.25})
    second.close()
    assert [record["step"] for record in metrics.read(tmp_path)] == [10, 20, 25, 30]
    assert curve(tmp_path, "loss") == [(10, 10.0), (20, 20.0), (25, 0.5), (30, 0.25)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl", "tensorboard"]


def test_nothing_to_truncate(tmp_path: Path) -> None:
    log = Metrics(tmp_path, tensorboard=False)
    log.truncate(0)
    log.write(1, {"x": 1.0})
    log.truncate(1)
    assert len(metrics.read(tmp_path)) == 1


@pytest.mark.parametrize("line", ['{"step": 1', "[]", '{"x": 1}', '{"step": "1"}', "[" * 100_000])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    log = Metrics(tmp_path, tensorboard=False)
    (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n' + line + '\n{"step": 2}\n')
    with pytest.raises(Damaged, match="line 2"):
        metrics.read(tmp_path)
    with pytest.raises(Damaged, match="line 2"):
        log.truncate(1)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(Damaged, match="got a pipe"):
        metrics.read(tmp_path)
    with pytest.raises(Damaged, match="got a pipe"):
        Metrics(tmp_path)


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    log = Metrics(tmp_path / "run", tensorboard=False)
    (tmp_path / "run").rmdir()
    with pytest.raises(CheckpointError, match="could not be written"):
        log.write(1, {"x": 1.0})
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="expected a folder, found a file"):
        Metrics(tmp_path / "file")


def test_progress_is_a_value() -> None:
    fields = {field.name for field in dataclasses.fields(Progress)}
    assert {"step", "eta_s", "replay_ratio_wanted", "learner_wait", "losses", "checks", "status"} <= fields
    assert Progress.__dataclass_params__.frozen  # type: ignore[attr-defined]
