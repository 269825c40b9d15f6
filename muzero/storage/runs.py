"""Run folders: their layout and lock, and which folder a name means.

    <run>/lock  <run>/metrics.jsonl  <run>/tensorboard/
    <run>/checkpoints/step-00000400/  manifest.json config.json state.json weights.safetensors ...
    <run>/snapshots/step-00000400/    agents saved during training, if enabled

This module doesn't look into checkpoints.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import checkpoints
from games.families import family
from games.own_names import from_here
from muzero.storage import disk, manifest
from muzero.storage.disk import TEMPORARY, CheckpointError, disk_errors
from muzero.storage.manifest import Foreign

__all__ = [
    "CHECKPOINTS", "SNAPSHOTS", "Locked", "NoneYet", "check_writable", "delete", "drop_snapshots", "is_begun",
    "is_step", "leaving_nothing", "lock", "names_folder", "newest", "order", "remove_leftovers", "resolve", "slug",
    "snapshots", "steps_in",
]

CHECKPOINTS = "checkpoints"
"""Folder in a run with the states it can resume from."""
SNAPSHOTS = "snapshots"
"""Folder in a run with the agents saved during training."""

LOCK = "lock"
"""The lock file of a run."""

_STEP = re.compile(r"step-(\d{8,18})(?:\.(\d{1,9}))?")
_PROBE = re.compile(re.escape(TEMPORARY) + r"\d+")
"""Name of the file that `check_writable` writes."""


class Locked(CheckpointError):
    """Another process is training in this run folder."""


class NoneYet(CheckpointError):
    """A run that was begun has no checkpoint yet."""


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Lock a run folder: one trainer at a time. Raises Locked with the holder's process id.

    The kernel releases the lock when the process ends, however it ends. A forked child shares it, so spawn actors.
    """
    with disk_errors(f"{run} could not be locked"):
        disk.make_folder(run)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(run / LOCK, flags, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise Locked(f"{run} is in use by process {holder}; stop it or use another folder") from None
        except OSError:
            os.close(handle)
            raise
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def leaving_nothing(run: Path, files: Collection[str]) -> Iterator[None]:
    """Context manager that removes new folders again if an error is raised inside, unless they hold more than `files`
    and the lock, or another process has locked them."""
    with disk_errors(f"{run} could not be read"):
        missing = [folder for folder in (run, *run.parents) if not disk.is_there(folder)]
    try:
        yield
    except BaseException:
        # Report the original error, not why a folder remained.
        with suppress(CheckpointError, OSError):
            if run in missing and disk.is_folder(run):
                _withdraw(missing, {LOCK, *files})
        raise


def _withdraw(made: list[Path], files: Collection[str]) -> None:
    """Delete a run's folder, the first of `made`, and the parents created for it. Raises Locked, OSError."""
    with lock(made[0]):
        if {path.name for path in made[0].iterdir()} <= set(files):
            for name in files:
                (made[0] / name).unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()


def check_writable(run: Path, need: int = 0) -> None:
    """Write and delete a small file, so that a run that couldn't be saved is refused before it starts.

    need: bytes that a checkpoint will take. Raises CheckpointError with the reason.
    """
    with disk_errors(f"nothing can be saved in {run}"):
        disk.make_folder(run)
        for left in (path for path in run.iterdir() if _PROBE.fullmatch(path.name)):
            left.unlink(missing_ok=True)
        probe = run / f"{TEMPORARY}{os.getpid()}"
        try:
            disk.write_file(probe, [b"probe"])
            disk.sync_folder(run)
        finally:
            probe.unlink(missing_ok=True)
        disk.refuse_full(run, need)


def newest(run: Path) -> Path | None:
    """The folder of the run's last checkpoint, None if it has none. Doesn't check its content."""
    return next(reversed(steps_in(run / CHECKPOINTS)), None)


def is_begun(run: Path) -> bool:
    """Whether a training was begun in this folder, even if it has no checkpoint yet."""
    return disk.is_folder(run / CHECKPOINTS) or disk.is_file(run / LOCK)


def snapshots(run: Path) -> list[Path]:
    """The snapshots of a run, oldest first. Doesn't check their content."""
    return steps_in(run / SNAPSHOTS)


def drop_snapshots(run: Path, after: int) -> None:
    """Delete the snapshots of a locked run later than step `after`, which belong to an abandoned continuation."""
    folder = run / SNAPSHOTS
    with disk_errors(f"abandoned snapshots in {folder} could not be deleted"):
        delete(folder, [path for path in steps_in(folder) if order(path)[0] > after])


def steps_in(folder: Path) -> list[Path]:
    """The checkpoints or snapshots in `folder`, oldest first."""
    with disk_errors(f"{folder} could not be read"):
        if not disk.is_folder(folder):
            return []
        found = [path for path in folder.iterdir() if _STEP.fullmatch(path.name)]
        return sorted((path for path in found if disk.is_folder(path, follow=False)), key=order)


def order(path: Path) -> tuple[int, int]:
    """Learning step of a checkpoint, and its number among those of the same step."""
    found = _STEP.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2] or 0)


def is_step(path: Path) -> bool:
    """Whether `path` has the name of a checkpoint or snapshot."""
    return _STEP.fullmatch(path.name) is not None


def delete(folder: Path, steps: Iterable[Path]) -> None:
    """Delete some checkpoints or snapshots in `folder`, and leftovers of a kill. Raises OSError."""
    for path in steps:
        # Rename first: a partially deleted checkpoint must not look complete.
        path.rename(folder / f"{TEMPORARY}{path.name}")
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill left partially written or deleted in `folder`. Raises OSError."""
    for path in folder.iterdir() if disk.is_folder(folder) else ():
        if path.name.startswith(TEMPORARY):
            shutil.rmtree(path) if disk.is_folder(path, follow=False) else path.unlink()


def slug(game: str) -> str:
    """A game's canonical name as a folder name: `hex(board_size=5)` -> `hex_board_size_5`."""
    text = from_here(game)
    written = Path(text).name if os.path.isabs(text) else text
    return re.sub(r"[^a-z0-9]+", "_", written.lower()).strip("_")


def names_folder(text: str) -> bool:
    """Whether `text` means an existing folder or file rather than a game or player of that name: it is written as a
    path, or holds an agent."""
    path = disk.named(text)
    with disk_errors(f"{path} could not be read"):
        if disk.mode_of(path) is None:
            return False
        return os.sep in text or disk.is_file(path / manifest.NAME) or newest(path) is not None


def resolve(path_or_game: str) -> Path:
    """The folder to load for a run (its newest checkpoint), a checkpoint, an agent, or a shipped game.

    Raises CheckpointError naming the nearest shipped agent.
    """
    path, name = disk.named(path_or_game), slug(path_or_game)
    with disk_errors(f"{path} could not be read"):
        there = bool(path_or_game) and disk.mode_of(path) is not None
        if disk.is_file(path / manifest.NAME):
            return path
        if there and (found := newest(path)) is not None:
            return found
        begun = there and is_begun(path)
    shipped = checkpoints.shipped()
    if name in shipped and (os.sep not in path_or_game or family(path_or_game) in ("atari", "gym")):
        return shipped[name]
    if begun:
        raise NoneYet(f"{path}: expected a checkpoint, found none yet; a run saves the first after "
                      "train.checkpoint_seconds of training, or when it stops")
    if there:
        raise Foreign(f"{path}: expected a run, checkpoint or agent, but it has no checkpoints/ and no {manifest.NAME}")
    near = difflib.get_close_matches(name, shipped, n=1, cutoff=0.5)
    hint = f"; nearest: {checkpoints.game_in(shipped[near[0]])}" if near else ""
    listed = ", ".join(map(checkpoints.game_in, shipped.values())) or "none"
    raise CheckpointError(f"no folder or shipped agent named {path_or_game!r}{hint} (shipped: {listed})")
