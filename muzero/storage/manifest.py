"""Manifests: a folder lists its own files with sizes and hashes; written atomically, checked when read.

`manifest.json` lists every file with size and SHA-256. Equal checkpoints differ only in the manifest (time, versions)
and in the clock file: the hashes of the other files show whether they are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muzero.storage import disk
from muzero.storage.disk import CheckpointError, Damaged, Entry

if TYPE_CHECKING:
    from muzero.storage.tensors import Encoded

Content = Mapping[str, "bytes | Encoded"]
"""file name -> what to write"""

NAME = "manifest.json"
FORMAT = 1
"""Version of the folder's format. A reader refuses a newer one."""
KIND = "muzero checkpoint"
LIMIT = 1 << 20
"""Largest manifest that is read, in bytes."""

_FILE = re.compile(r"[a-z][a-z0-9_]{0,63}\.(json|safetensors)")
_DIGEST = re.compile("[0-9a-f]{64}")
_SLACK = 1 << 20
"""Bytes of disk space required beyond the files themselves: manifest, folders, rounding to blocks."""


class Foreign(CheckpointError):
    """A folder that this program did not write."""


class NewerFormat(CheckpointError):
    """A folder written by a later version of this program."""


@dataclass(frozen=True)
class Manifest:
    """A folder's manifest."""

    step: int
    """learning steps done"""
    files: dict[str, Entry]


def is_file_name(name: str) -> bool:
    """Whether a manifest may list `name`. Also keeps every path inside the folder."""
    return _FILE.fullmatch(name) is not None and name != NAME


def needed(content: Content) -> int:
    """Bytes of disk space that `content` takes."""
    return _SLACK + sum(len(data) if isinstance(data, bytes) else data.size for data in content.values())


def write(folder: Path, content: Content, step: int) -> Manifest:
    """Create `folder` with `content` and its manifest, wait for the disk, and read everything back.

    Raises OSError, and CheckpointError if the disk returns something else.
    """
    folder.mkdir()
    entries = {
        name: disk.write_file(folder / name, [data] if isinstance(data, bytes) else data.chunks())
        for name, data in content.items()
    }
    promise = {
        "kind": KIND, "format": FORMAT, "step": step,
        "files": {name: {"sha256": entry.sha256, "bytes": entry.size} for name, entry in entries.items()},
        "versions": _versions(), "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    disk.write_file(folder / NAME, [disk.encode_json(promise, NAME, indent=2)])
    disk.sync_folder(folder)
    manifest = Manifest(step, entries)
    try:
        if verified(folder) != manifest:
            raise Damaged(f"{NAME} was altered")
    except Damaged as error:
        raise CheckpointError(f"{folder} reads back differently than written ({error}); use another disk") from None
    return manifest


def _versions() -> dict[str, str]:
    found = {}
    for name in ("muzero-engine", "torch", "numpy", "safetensors", "open_spiel"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def read(folder: Path) -> Manifest:
    """The manifest of `folder`; doesn't check its files. Raises Foreign, NewerFormat, Damaged."""
    if not disk.is_folder(folder) or not disk.is_there(folder / NAME):
        raise Foreign(f"{folder}: expected a checkpoint or an agent, but it has no {NAME}")
    data = disk.read_json(folder / NAME, limit=LIMIT)
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise Foreign(f"{folder}: expected a checkpoint or an agent, but its {NAME} belongs to something else")
    version, step, files = data.get("format"), data.get("step"), data.get("files")
    if type(version) is int and version > FORMAT:
        raise NewerFormat(
            f"{folder} has format {str(version)[:20]}, newer than this version reads ({FORMAT}); "
            "update muzero-engine"
        )
    if type(version) is not int or type(step) is not int or not 0 <= step < 10**18:
        raise Damaged(f"{NAME} lacks a proper format or step")
    if not isinstance(files, dict):
        raise Damaged(f"{NAME} lists no files")
    return Manifest(step, {name: _entry(name, entry) for name, entry in files.items()})


def _entry(name: str, entry: Any) -> Entry:
    if not is_file_name(name):
        raise Damaged(f"{NAME}: expected names of checkpoint files, got {name[:80]!r}")
    digest, size = (entry.get("sha256"), entry.get("bytes")) if isinstance(entry, dict) else (None, None)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Damaged(f"{NAME}: expected a SHA-256 for {name}, got none")
    if type(size) is not int or not 0 <= size < 1 << 62:
        raise Damaged(f"{NAME}: expected a size for {name}, got none")
    return Entry(digest, size)


def verified(folder: Path) -> Manifest:
    """The manifest of `folder`, after reading every file and checking it. Raises what `read` raises."""
    manifest = read(folder)
    for name, entry in manifest.files.items():
        disk.check_content(folder / name, entry)
    return manifest
