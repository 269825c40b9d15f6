"""Durable writes, and reads that treat every file as hostile.

Writing: every file is hashed from memory while it goes out, and is on the disk before the call returns.
Reading: only regular files of a size known beforehand, and JSON of one strict form.
Nothing here knows what a checkpoint is.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from muzero.errors import DAMAGED, MuZeroError

BLOCK = 1 << 22
"""Bytes hashed or copied at a time."""
JSON_LIMIT = 1 << 24
"""Bytes of the largest JSON text that is read."""
TEMPORARY = ".tmp-"
"""How the name of a file or folder begins that is being written or deleted."""


PARTS_LIMIT = 1 << 16
"""Lists, objects and strings of a JSON text that is read, where nothing says that there may be more: small texts can
stand for far more memory than they take."""


class CheckpointError(MuZeroError, RuntimeError):
    """The disk can't be written or read; the message names the place, the reason and the mend."""


class Damaged(CheckpointError):
    """A file is missing, altered or not of the form this program writes."""

    exit_code = DAMAGED


@dataclass(frozen=True)
class Entry:
    """What a manifest promises of one file."""

    sha256: str
    """64 lower-case hexadecimal digits"""
    size: int
    """bytes"""


def write_file(path: Path, chunks: Iterable[bytes | memoryview]) -> Entry:
    """Create `path` from `chunks` and wait until it is on the disk. Raises OSError, also when it exists."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for chunk in chunks:
            for start in range(0, len(chunk), BLOCK):
                block = chunk[start : start + BLOCK]
                digest.update(block)
                file.write(block)
                size += len(block)
        file.flush()
        os.fsync(file.fileno())
    return Entry(digest.hexdigest(), size)


def sync_folder(folder: Path) -> None:
    """Wait until the names inside `folder` are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn what the operating system says of the disk into a CheckpointError that opens with `what`."""
    try:
        yield
    except OSError as error:
        reason = _MENDS.get(error.errno or 0, error.strerror or str(error))
        place = f" ({error.filename})" if error.filename else ""
        raise CheckpointError(f"{what}: {reason}{place}") from error


_MENDS = {
    errno.ENOSPC: "the disk is full; make room or use another disk",
    errno.EDQUOT: "the disk quota is used up; make room or use another disk",
    errno.EACCES: "no permission; change the folder's owner or use another folder",
    errno.EPERM: "no permission; change the folder's owner or use another folder",
    errno.EROFS: "the file system is read-only; use another folder",
    errno.EIO: "the disk reports a fault; use another disk",
    errno.ENOTDIR: "a file stands where a folder is expected; use another folder",
    errno.EEXIST: "a file stands where a folder is expected; use another folder",
}


def named(text: str) -> Path:
    """The path that a person names by `text`: `~` is a home where there is one, else a sign like any other."""
    return Path(os.path.expanduser(text))


def mode_of(path: Path, *, follow: bool = True) -> int | None:
    """What stands at `path`, as `stat.st_mode` says it; None where nothing does.

    Raises OSError where that can't be told: only what is not found is absent. A link to nothing is followed to nothing.
    """
    try:
        return path.stat(follow_symlinks=follow).st_mode
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    except ValueError:
        # No name can hold a zero byte.
        return None


_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def is_there(path: Path) -> bool:
    """Whether anything stands at `path`, a link to nothing included. Raises OSError where that can't be told."""
    return mode_of(path, follow=False) is not None


def is_folder(path: Path, *, follow: bool = True) -> bool:
    """Whether `path` is a folder, or with `follow` a link to one. Raises OSError where that can't be told."""
    return stat.S_ISDIR(mode_of(path, follow=follow) or 0)


def is_file(path: Path, *, follow: bool = True) -> bool:
    """Whether `path` is a regular file, or with `follow` a link to one. Raises OSError where that can't be told."""
    return stat.S_ISREG(mode_of(path, follow=follow) or 0)


def replace_file(path: Path, data: bytes) -> None:
    """Put a file with `data` in the place of `path`, whole or not at all. Raises OSError."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        write_file(temporary, [data])
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create `folder` with its parents where it is missing. Raises OSError."""
    if not is_folder(folder):
        folder.mkdir(parents=True)
        sync_folder(folder.parent)


def refuse_full(folder: Path, need: int) -> None:
    """Raises CheckpointError when the disk of `folder` has fewer than `need` bytes free."""
    free = shutil.disk_usage(folder).free
    if need > free:
        raise CheckpointError(
            f"{folder}: {need / 2**20:,.0f} MiB needed, {free / 2**20:,.0f} MiB free; "
            "make room or use another disk"
        )


def encode_json(value: Mapping[str, Any], name: str, *, indent: int | None = None) -> bytes:
    """`value` as canonical JSON. Raises CheckpointError for what JSON would not give back as it was."""
    _check_json(value, name)
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, sort_keys=True, allow_nan=False, indent=indent, separators=separators)
    return text.encode() + b"\n"


def _check_json(value: Any, where: str) -> None:
    # json.dumps would turn a number used as a key into a string without a word.
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise CheckpointError(f"{where}: expected a string as key, got {key!r}; convert it first")
            _check_json(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_json(item, f"{where}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise CheckpointError(f"{where}: expected a finite number, got {value}")
    elif not isinstance(value, (str, int, float, type(None))):
        kind = type(value).__name__
        raise CheckpointError(f"{where}: expected a JSON value, got {kind}; convert it before saving")


def check_parts(data: bytes, name: str, most: int) -> None:
    """Refuse JSON of more than `most` lists, objects and strings before any is made. Raises Damaged naming `name`."""
    found = data.count(b"[") + data.count(b"{") + data.count(b'"') // 2
    if found > most:
        raise Damaged(f"{name} is too long or nested too deeply: about {found:,} lists, objects and strings, at most "
                      f"{most:,} are read")


def parse_json(data: bytes, name: str, *, parts: int = PARTS_LIMIT) -> Any:
    """Strict JSON: UTF-8, no repeated key, no infinite number, at most `parts` lists, objects and strings.

    Raises Damaged naming `name`.
    """
    check_parts(data, name, parts)
    try:
        text = data.decode("utf-8")
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError:
        raise Damaged(f"{name} is nested too deeply") from None
    except ValueError as error:
        raise Damaged(f"{name} is not the JSON this program writes: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key[:80]!r} appears twice")
        result[key] = value
    return result


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond the range of a number")
    return value


@contextmanager
def open_regular(path: Path, *, limit: int) -> Iterator[BinaryIO]:
    """Open an existing regular file of at most `limit` bytes.

    Links, pipes and devices are Damaged, never followed or waited for.
    """
    try:
        # Asked before opening: opening a device can act by itself.
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise Damaged(f"{path.name}: expected a regular file, got {_kind(mode)}")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Damaged(f"{path.name} is missing") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Damaged(f"{path.name}: expected a regular file, got a link") from None
        raise
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise Damaged(f"{path.name}: expected a regular file, got {_kind(found.st_mode)}")
        if found.st_size > limit:
            raise Damaged(f"{path.name} has {found.st_size:,} bytes, at most {limit:,} are read")
        yield file


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_size(path: Path, entry: Entry, *, limit: int) -> None:
    """Compare a file's size with its entry without reading it. Raises Damaged."""
    if entry.size > limit:
        raise Damaged(f"{path.name} has {entry.size:,} bytes by the manifest, at most {limit:,} are read")
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise Damaged(f"{path.name} is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise Damaged(f"{path.name}: expected a regular file, got {_kind(found.st_mode)}")
    if found.st_size != entry.size:
        raise Damaged(f"{path.name} has {found.st_size:,} bytes, {entry.size:,} by the manifest")


def check_content(path: Path, entry: Entry) -> None:
    """Compare a file's bytes with its entry, in blocks. Raises Damaged."""
    check_size(path, entry, limit=entry.size)
    digest = hashlib.sha256()
    with open_regular(path, limit=entry.size) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != entry.sha256:
        raise Damaged(f"{path.name} was altered: its SHA-256 is not the manifest's")


def read_json(path: Path, *, limit: int = JSON_LIMIT, parts: int = PARTS_LIMIT) -> Any:
    """The value in a JSON file, see `parse_json`. Raises Damaged, and OSError where the disk itself fails."""
    with open_regular(path, limit=limit) as file:
        return parse_json(file.read(limit), path.name, parts=parts)
