"""What a run measured: a JSON line a report, the same numbers for TensorBoard, and `Progress` for people."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from muzero import storage
from muzero.storage import CheckpointError, Damaged, disk_errors

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

FILE = "metrics.jsonl"
FILE_LIMIT = 1 << 30
"""Bytes of the largest metrics file that is read whole."""
ANY_SIZE = 1 << 62
LINE_LIMIT = 1 << 20
"""Bytes of the longest line that is read."""
BLOCK = 1 << 12
"""Bytes read at a time in search of a line's beginning."""

RANDOM_PLAY = "random play first"
"""`Progress.status` while nothing is searched yet."""
EVALUATING, LAST_EVALUATION = "evaluating", "a last evaluation"
"""`Progress.status` during a match of the newest weights, and during that of the agent a run ends with."""
_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""JSON has no such numbers: they are written as these strings."""


@dataclass(frozen=True)
class Progress:
    """A run at one moment, for a display."""

    game: str
    run: str
    """the run's folder"""
    step: int
    steps_limit: int
    """0: no limit"""
    elapsed_s: float
    """seconds of training, earlier sittings included"""
    minutes_limit: float
    clock: str
    """What elapsed_s and minutes_limit are of: wall or cpu."""
    """0: no limit"""
    progress: float
    """share of the training done, in [0, 1]"""
    eta_s: float
    """seconds left"""
    games: int
    """finished"""
    positions: int
    """played"""
    games_per_s: float
    positions_per_s: float
    simulations_per_s: float
    steps_per_s: float
    replay_positions: int
    """held now"""
    replay_capacity: int
    replay_ratio: float
    """samples drawn for each position played"""
    replay_ratio_wanted: float
    learner_wait: float
    """share of the learner's time spent waiting for positions, in [0, 1]"""
    losses: Mapping[str, float]
    checks: Mapping[str, float]
    evaluation: str
    """last result against a fixed opponent; empty before the first"""
    status: str
    """what goes on, in words"""
    data_wait: float = 0.0
    """share of the learner's time spent waiting for a batch of positions that are there, in [0, 1]"""
    mean_return: float = math.nan
    """of the newest self-play games of one player, exploration included; NaN for two players"""
    positions_limit: int = 0
    """0: no limit"""
    warmup_positions: int = 0
    """to be played at random before anything is searched, while that goes on; 0: none, or over"""
    cut: int = 0
    """finished games that `selfplay.max_moves` cut before their end"""
    warnings: tuple[str, ...] = ()
    """what goes wrong without stopping the run, in words"""
    reanalysed: float = 0.0
    """stored positions searched again, a second"""
    reached: bool = False
    """the run is at its limit"""
    unmeasured: bool = False
    """the run evaluates now and then, but the weights of this step were not evaluated yet"""


class Metrics:
    """The measurements of one run folder, appended as they come.

    A line cut short by a kill is repaired when the run goes on.
    """

    def __init__(self, run: Path, *, tensorboard: bool = True) -> None:
        self._path = run / FILE
        self._events = run / "tensorboard" if tensorboard else None
        self._writer: EventFileWriter | None = None
        self._drop_from: int | None = None
        with disk_errors(f"{self._path} could not be opened"):
            storage.make_folder(run)
            _cut(self._path)

    def write(self, step: int, values: Mapping[str, float], **extra: Any) -> None:
        """Append one line: `values` are curves for TensorBoard too, `extra` any JSON values.

        Raises CheckpointError when the disk refuses, ValueError for a name used twice.
        """
        twice = ({"step"} | extra.keys()) & values.keys() | ({"step"} & extra.keys())
        if twice:
            raise ValueError(f"a metric is named once, got {', '.join(sorted(twice))} twice")
        record = {"step": step, **{name: _plain(float(value)) for name, value in values.items()}, **extra}
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with disk_errors(f"{self._path} could not be written"):
            # One unbuffered write: a line is on its way whole, whatever happens to this process next.
            with self._path.open("ab", buffering=0) as file:
                if file.write(line) != len(line):
                    raise CheckpointError(f"{self._path} could not be written: the disk is full; make room")
            self._write_events(step, values)

    def truncate(self, step: int) -> None:
        """Forget what was measured after `step`: the run goes on from a checkpoint made there."""
        self.close()
        self._drop_from = step + 1
        with disk_errors(f"{self._path} could not be shortened"):
            _cut(self._path, step)

    def close(self) -> None:
        """Flush and close the TensorBoard file. Writing opens a new one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_events(self, step: int, values: Mapping[str, float]) -> None:
        if self._events is None:
            return
        # Late: the import takes a moment, and a run that never measures needs none of it.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if self._writer is None:
            self._writer = self._open_events(self._events)
        curves = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=curves)))
        self._writer.flush()

    def _open_events(self, folder: Path) -> EventFileWriter:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        writer = EventFileWriter(str(folder))
        if self._drop_from is not None:
            # TensorBoard's own sign that later steps of earlier files no longer count.
            start = SessionLog(status=SessionLog.START)
            writer.add_event(Event(wall_time=time.time(), step=self._drop_from, session_log=start))
        return writer


def read(run: Path) -> list[dict[str, Any]]:
    """The records of a run, oldest first; empty when it measured nothing. A torn last line is left out.

    Raises Damaged naming the line.
    """
    return [
        {key: _NAMES.get(value, value) if isinstance(value, str) else value for key, value in record.items()}
        for _, record in _records(run / FILE)
    ]


def _records(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """Each whole line with what it says."""
    with disk_errors(f"{path} could not be read"):
        if not storage.is_there(path):
            return []
    with disk_errors(f"{path} could not be read"), storage.open_regular(path, limit=FILE_LIMIT) as file:
        lines = [line for line in file if line.endswith(b"\n")]
    return [(line, _record(path, number, line)) for number, line in enumerate(lines, start=1)]


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = storage.parse_json(line, f"{path} line {number}")
    except Damaged as error:
        raise Damaged(f"{error}; delete that line to go on") from error
    if not isinstance(record, dict) or type(record.get("step")) is not int:
        raise Damaged(f"{path} line {number} is no record with a step; delete that line to go on")
    return record


def _cut(path: Path, step: int | None = None) -> None:
    """Cut a torn last line off, and the lines later than `step`: the last ones, as steps only grow. However large the
    file is, no more of it is read. Raises OSError, and Damaged naming the line."""
    if not storage.is_there(path):
        return
    with storage.open_regular(path, limit=ANY_SIZE) as file:
        size = file.seek(0, os.SEEK_END)
        end = _newline_before(file, size) + 1
        while step is not None and end > 0:
            start = _newline_before(file, end - 1) + 1
            if _record_at(path, file, start, end)["step"] <= step:
                break
            end = start
    if end < size:
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())


def _newline_before(file: BinaryIO, place: int) -> int:
    """Place of the last newline before `place`; -1 if there is none."""
    while place > 0:
        start = file.seek(max(0, place - BLOCK))
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found
        place = start
    return -1


def _record_at(path: Path, file: BinaryIO, start: int, end: int) -> dict[str, Any]:
    """What the line says that stands there. Raises Damaged naming it."""
    file.seek(start)
    line = file.read(min(LINE_LIMIT, end - start))
    try:
        return _record(path, 0, line)
    except Damaged:
        file.seek(0)
        blocks = range(0, start, LINE_LIMIT)
        before = sum(file.read(min(LINE_LIMIT, start - place)).count(b"\n") for place in blocks)
        return _record(path, before + 1, line)


def _plain(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
