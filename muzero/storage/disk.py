"""Durable writes, and reads that treat every file as hostile.

Writing: every file is hashed while it is written, and is on the disk before the call returns.
Reading: only regular files of known size, and strict JSON.
This module is independent of checkpoints.
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
"""Largest JSON text that is read, in bytes."""
TEMPORARY = ".tmp-"
"""Prefix of the names of files and folders being written or deleted."""


PARTS_LIMIT = 1 << 16
"""Default for the most lists, objects and strings of a JSON text that is read: a small text can expand to far more
memory."""


class CheckpointError(MuZeroError, RuntimeError):
    """The disk can't be written or read; the message names the path, the reason and a remedy."""


class Damaged(CheckpointError):
    """A file is missing, altered or not in the form that this program writes."""

    exit_code = DAMAGED


@dataclass(frozen=True)
class Entry:
    """A manifest's entry for one file."""

    sha256: str
    """64 lower-case hexadecimal digits"""
    size: int
    """bytes"""


def write_file(path: Path, chunks: Iterable[bytes | memoryview]) -> Entry:
    """Create `path` from `chunks` and wait until it is on the disk. Raises OSError, also if it exists."""
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
    """Wait until the directory entries of `folder` are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn the operating system's errors into a CheckpointError that starts with `what`."""
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
    errno.ENOTDIR: "expected a folder, found a file; use another folder",
    errno.EEXIST: "expected a folder, found a file; use another folder",
}


def named(text: str) -> Path:
    """The path that a user means by `text`: `~` is the home folder if there is one, else an ordinary character."""
    return Path(os.path.expanduser(text))


def mode_of(path: Path, *, follow: bool = True) -> int | None:
    """`stat.st_mode` of `path`; None if nothing is there.

    Raises OSError if that can't be determined: only "not found" counts as absent. A dangling link is followed to
    nothing.
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
    """Whether `path` exists, as a dangling link too. Raises OSError if that can't be determined."""
    return mode_of(path, follow=False) is not None


def is_folder(path: Path, *, follow: bool = True) -> bool:
    """Whether `path` is a folder, or with `follow` a link to one. Raises OSError if that can't be determined."""
    return stat.S_ISDIR(mode_of(path, follow=follow) or 0)


def is_file(path: Path, *, follow: bool = True) -> bool:
    """Whether `path` is a regular file, or with `follow` a link to one. Raises OSError if that can't be determined."""
    return stat.S_ISREG(mode_of(path, follow=follow) or 0)


def replace_file(path: Path, data: bytes) -> None:
    """Replace `path` atomically by a file with `data`. Raises OSError."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        write_file(temporary, [data])
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents if missing. Raises OSError."""
    if not is_folder(folder):
        folder.mkdir(parents=True)
        sync_folder(folder.parent)


def refuse_full(folder: Path, need: int) -> None:
    """Raises CheckpointError if the disk of `folder` has fewer than `need` bytes free."""
    free = shutil.disk_usage(folder).free
    if need > free:
        raise CheckpointError(
            f"{folder}: expected {need / 2**20:,.0f} MiB of free space, got {free / 2**20:,.0f} MiB; "
            "make room or use another disk"
        )


def encode_json(value: Mapping[str, Any], name: str, *, indent: int | None = None) -> bytes:
    """`value` as canonical JSON. Raises CheckpointError for a value that wouldn't survive the round trip."""
    _check_json(value, name)
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, sort_keys=True, allow_nan=False, indent=indent, separators=separators)
    return text.encode() + b"\n"


def _check_json(value: Any, where: str) -> None:
    # json.dumps would silently turn a number used as a key into a string.
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
    """Refuse JSON of more than `most` lists, objects and strings, before parsing it. Raises Damaged naming `name`."""
    found = data.count(b"[") + data.count(b"{") + data.count(b'"') // 2
    if found > most:
        raise Damaged(f"{name} is too long or nested too deeply: expected at most {most:,} lists, objects and strings, "
                      f"got about {found:,}")


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
        # Check before opening: opening a device can have side effects.
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
            raise Damaged(f"{path.name}: expected at most {limit:,} bytes, got {found.st_size:,}")
        yield file


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_size(path: Path, entry: Entry, *, limit: int) -> None:
    """Check a file's size against its entry, without reading it. Raises Damaged."""
    if entry.size > limit:
        raise Damaged(f"{path.name}: expected at most {limit:,} bytes, got {entry.size:,} by the manifest")
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise Damaged(f"{path.name} is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise Damaged(f"{path.name}: expected a regular file, got {_kind(found.st_mode)}")
    if found.st_size != entry.size:
        raise Damaged(f"{path.name}: expected {entry.size:,} bytes by the manifest, got {found.st_size:,}")


def check_content(path: Path, entry: Entry) -> None:
    """Check a file's bytes against its entry, in blocks. Raises Damaged."""
    check_size(path, entry, limit=entry.size)
    digest = hashlib.sha256()
    with open_regular(path, limit=entry.size) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != entry.sha256:
        raise Damaged(f"{path.name} was altered: its SHA-256 is not the manifest's")


def read_json(path: Path, *, limit: int = JSON_LIMIT, parts: int = PARTS_LIMIT) -> Any:
    """The value in a JSON file, see `parse_json`. Raises Damaged, and OSError if the disk itself fails."""
    with open_regular(path, limit=limit) as file:
        return parse_json(file.read(limit), path.name, parts=parts)
