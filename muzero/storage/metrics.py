"""Metrics of a run: one JSON line per report, and the same numbers for TensorBoard."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from muzero.storage import disk
from muzero.storage.disk import CheckpointError, Damaged, disk_errors

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

FILE = "metrics.jsonl"
EVENTS = "tensorboard"
"""Folder in a run with the same numbers for TensorBoard."""
FILE_LIMIT = 1 << 30
"""Largest metrics file that is read completely, in bytes."""
ANY_SIZE = 1 << 62
LINE_LIMIT = 1 << 20
"""Longest line that is read, in bytes."""
BLOCK = 1 << 12
"""Bytes read at a time when looking for the start of a line."""
_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""Numbers that JSON doesn't have, by the strings written for them."""


class Metrics:
    """The metrics of one run folder, append-only.

    A line torn by a kill is repaired when the run resumes.
    """

    def __init__(self, run: Path, *, tensorboard: bool = True) -> None:
        self._path = run / FILE
        self._events = run / EVENTS if tensorboard else None
        self._writer: EventFileWriter | None = None
        self._drop_from: int | None = None
        with disk_errors(f"{self._path} could not be opened"):
            disk.make_folder(run)
            _cut(self._path)

    def write(self, step: int, values: Mapping[str, float], **extra: Any) -> None:
        """Append one line: `values` are also curves for TensorBoard, `extra` any JSON values.

        Raises CheckpointError if it can't be written, ValueError for a name used twice.
        """
        twice = ({"step"} | extra.keys()) & values.keys() | ({"step"} & extra.keys())
        if twice:
            raise ValueError(f"metrics: expected each name once, got {', '.join(sorted(twice))} twice")
        record = {"step": step, **{name: _plain(float(value)) for name, value in values.items()}, **extra}
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with disk_errors(f"{self._path} could not be written"):
            # One unbuffered write, so that a line is complete whatever happens to this process next.
            with self._path.open("ab", buffering=0) as file:
                if file.write(line) != len(line):
                    raise CheckpointError(f"{self._path} could not be written: the disk is full; make room")
            self._write_events(step, values)

    def truncate(self, step: int) -> None:
        """Drop the metrics after `step`: the run resumes from a checkpoint of that step."""
        self.close()
        self._drop_from = step + 1
        with disk_errors(f"{self._path} could not be shortened"):
            _cut(self._path, step)

    def close(self) -> None:
        """Flush and close the TensorBoard file. The next write opens a new one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_events(self, step: int, values: Mapping[str, float]) -> None:
        if self._events is None:
            return
        # Opened lazily: the import takes a moment, and a run without metrics doesn't need it.
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
            # TensorBoard's own marker that later steps of earlier files are superseded.
            start = SessionLog(status=SessionLog.START)
            writer.add_event(Event(wall_time=time.time(), step=self._drop_from, session_log=start))
        return writer


def read(run: Path) -> list[dict[str, Any]]:
    """The records of a run, oldest first; empty if there are none. A torn last line is skipped.

    Raises Damaged naming the line.
    """
    return [
        {key: _NAMES.get(value, value) if isinstance(value, str) else value for key, value in record.items()}
        for _, record in _records(run / FILE)
    ]


def _records(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """Each complete line with its record."""
    with disk_errors(f"{path} could not be read"):
        if not disk.is_there(path):
            return []
    with disk_errors(f"{path} could not be read"), disk.open_regular(path, limit=FILE_LIMIT) as file:
        lines = [line for line in file if line.endswith(b"\n")]
    return [(line, _record(path, number, line)) for number, line in enumerate(lines, start=1)]


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = disk.parse_json(line, f"{path} line {number}")
    except Damaged as error:
        raise Damaged(f"{error}; delete that line to continue") from error
    if not isinstance(record, dict) or type(record.get("step")) is not int:
        raise Damaged(f"{path} line {number}: expected a record with a step; delete that line to continue")
    return record


def _cut(path: Path, step: int | None = None) -> None:
    """Cut off a torn last line, and the lines later than `step`, which are the last ones, as steps only grow. Reads no
    more of the file than that. Raises OSError, and Damaged naming the line."""
    if not disk.is_there(path):
        return
    with disk.open_regular(path, limit=ANY_SIZE) as file:
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
    """Offset of the last newline before `place`; -1 if there is none."""
    while place > 0:
        start = file.seek(max(0, place - BLOCK))
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found
        place = start
    return -1


def _record_at(path: Path, file: BinaryIO, start: int, end: int) -> dict[str, Any]:
    """The record in that line. Raises Damaged naming the line."""
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
