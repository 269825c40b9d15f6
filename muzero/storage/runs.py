"""Run folders: their layout and lock, and which folder a name means.

    <run>/lock  <run>/metrics.jsonl  <run>/tensorboard/
    <run>/checkpoints/step-00000400/  manifest.json config.json state.json weights.safetensors ...
    <run>/snapshots/step-00000400/    agents of the run on its way, where it was told to leave some

Nothing here looks into a checkpoint.
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
    "CHECKPOINTS", "SNAPSHOTS", "Locked", "check_writable", "delete", "drop_snapshots", "is_step", "leaving_nothing",
    "lock", "names_folder", "newest", "order", "remove_leftovers", "resolve", "slug", "snapshots", "steps_in",
]

CHECKPOINTS = "checkpoints"
"""Folder of a run with the states it can go on from."""
SNAPSHOTS = "snapshots"
"""Folder of a run with the agents it left behind on its way."""

LOCK = "lock"
"""The file by which a run is held."""

_STEP = re.compile(r"step-(\d{8,18})(?:\.(\d{1,9}))?")
_PROBE = re.compile(re.escape(TEMPORARY) + r"\d+")
"""Of the file that `check_writable` writes."""


class Locked(CheckpointError):
    """Another process trains in this run folder."""


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Hold a run folder: one trainer at a time. Raises Locked with the holder's process id.

    The kernel lets go when the process ends, however it ends. A forked child shares the hold: spawn actors.
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
    """What is refused inside leaves no folder behind that wasn't there before, unless more than `files` and the lock is
    in it, or another process holds it."""
    with disk_errors(f"{run} could not be read"):
        missing = [folder for folder in (run, *run.parents) if not disk.is_there(folder)]
    try:
        yield
    except BaseException:
        # Why it was refused is told, not why a folder stayed.
        with suppress(CheckpointError, OSError):
            if run in missing and disk.is_folder(run):
                _withdraw(missing, {LOCK, *files})
        raise


def _withdraw(made: list[Path], files: Collection[str]) -> None:
    """Delete a run's folder, the first of `made`, and the parents made for it. Raises Locked, OSError."""
    with lock(made[0]):
        if {path.name for path in made[0].iterdir()} <= set(files):
            for name in files:
                (made[0] / name).unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()


def check_writable(run: Path, need: int = 0) -> None:
    """Write and delete a small file, so that a run that can't be saved is refused before it starts.

    need: bytes a checkpoint will take. Raises CheckpointError with the reason.
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
    """The folder of the run's last checkpoint, None when it has none. Its content is not looked at."""
    return next(reversed(steps_in(run / CHECKPOINTS)), None)


def snapshots(run: Path) -> list[Path]:
    """The agents a run left behind on its way, oldest first. Their content is not looked at."""
    return steps_in(run / SNAPSHOTS)


def drop_snapshots(run: Path, after: int) -> None:
    """Delete the snapshots of a locked run later than step `after`: the line they lie on was left."""
    folder = run / SNAPSHOTS
    with disk_errors(f"{folder} could not be cleared of what the run goes on without"):
        delete(folder, [path for path in steps_in(folder) if order(path)[0] > after])


def steps_in(folder: Path) -> list[Path]:
    """The checkpoints or snapshots in `folder`, oldest first."""
    with disk_errors(f"{folder} could not be read"):
        if not disk.is_folder(folder):
            return []
        found = [path for path in folder.iterdir() if _STEP.fullmatch(path.name)]
        return sorted((path for path in found if disk.is_folder(path, follow=False)), key=order)


def order(path: Path) -> tuple[int, int]:
    """Learning step of a checkpoint, and which of those with the same step it is."""
    found = _STEP.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2] or 0)


def is_step(path: Path) -> bool:
    """Whether `path` is named as a checkpoint or snapshot."""
    return _STEP.fullmatch(path.name) is not None


def delete(folder: Path, steps: Iterable[Path]) -> None:
    """Delete some of the checkpoints or snapshots in `folder`, and what a kill left there. Raises OSError."""
    for path in steps:
        # Renamed first: a deletion cut short must not look like a whole one.
        path.rename(folder / f"{TEMPORARY}{path.name}")
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill left half written or half deleted in `folder`. Raises OSError."""
    for path in folder.iterdir() if disk.is_folder(folder) else ():
        if path.name.startswith(TEMPORARY):
            shutil.rmtree(path) if disk.is_folder(path, follow=False) else path.unlink()


def slug(game: str) -> str:
    """A game's canonical name as a folder name: `hex(board_size=5)` -> `hex_board_size_5`."""
    text = from_here(game)
    written = Path(text).name if os.path.isabs(text) else text
    return re.sub(r"[^a-z0-9]+", "_", written.lower()).strip("_")


def names_folder(text: str) -> bool:
    """Whether `text` means a folder or file that is there and not a game or player of that name: it is spelled as a
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
        begun = there and disk.is_folder(path / CHECKPOINTS)
    shipped = checkpoints.shipped()
    if name in shipped and (os.sep not in path_or_game or family(path_or_game) in ("atari", "gym")):
        return shipped[name]
    if begun:
        raise CheckpointError(f"{path} has no checkpoint yet; train it first")
    if there:
        raise Foreign(f"{path} is no run, checkpoint or agent: no checkpoints/ and no {manifest.NAME} in it")
    near = difflib.get_close_matches(name, shipped, n=1, cutoff=0.5)
    hint = f"; nearest: {near[0]}" if near else ""
    listed = ", ".join(shipped) or "none"
    raise CheckpointError(f"no folder or shipped agent named {path_or_game!r}{hint} (shipped: {listed})")
