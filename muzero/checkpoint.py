"""A run is one folder; a checkpoint in it exists whole or not at all; an agent is a smaller checkpoint.

    <run>/lock  <run>/metrics.jsonl  <run>/tensorboard/
    <run>/checkpoints/step-00000400/  manifest.json config.json state.json weights.safetensors ...
    <run>/snapshots/step-00000400/    agents of the run on its way, where it was told to leave some
    <agent>/                          manifest.json config.json card.json weights.safetensors README.md

No file is ever unpickled. torch is imported when tensors are written or read, not before: the command line
finds folders and configs without it.
"""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import checkpoints
from muzero import manifest, storage
from muzero.config import FORMAT as CONFIG_FORMAT
from muzero.config import Config, Retired, from_json, to_json
from muzero.manifest import Foreign, Manifest, NewerFormat
from muzero.storage import CheckpointError, Damaged, disk_errors

if TYPE_CHECKING:
    from torch import Tensor

    from muzero.tensors import Array, Encoded

__all__ = [
    "Checkpoint", "CheckpointError", "Damaged", "Foreign", "Locked", "NewerFormat", "check_writable",
    "count_of", "export", "load", "lock", "newest", "number_of", "read_config", "resolve", "same_content", "save",
    "slug", "snapshot", "snapshots", "write_agent",
]

KEEP = 2
"""Steps of a run whose newest checkpoint remains after a save."""
CLOCK = "clock.json"
"""How long the training took. The one file that equal runs don't share."""
WEIGHTS_LIMIT = 1 << 31
"""Bytes of the largest weights file that is read."""
COUNT_LIMIT = 1 << 53
"""Largest counter or other number that a state may hold."""
CONFIG_LIMIT = 1 << 20
"""Bytes of the largest config that is read."""
EXACT = frozenset({"replay", "actors"})
"""Tensor files kept as they are. All others hold numbers of a network and must be finite."""
WEIGHT_DTYPES = frozenset({"F32", "I64"})
"""Parameters, and counters of normalisation."""

SNAPSHOTS = "snapshots"
"""Folder of a run with the agents it left behind on its way."""

_STEP = re.compile(r"step-(\d{8,18})(?:\.(\d{1,9}))?")
_TEMPORARY = ".tmp-"


class Locked(CheckpointError):
    """Another process trains in this run folder."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint or agent folder holds."""

    folder: Path
    step: int
    """learning steps done"""
    config: Config
    state: dict[str, Any]
    """counters and random states; empty for an agent"""
    elapsed: float
    """seconds of training, earlier parts of the run included; 0 where it isn't known"""
    tensors: dict[str, dict[str, Tensor]]
    """file name without suffix -> tensor name -> tensor on the CPU"""


def save(
    run: Path, step: int, files: Mapping[str, Mapping[str, Array]], state: Mapping[str, Any], config: Config,
    *, elapsed: float = 0.0,
) -> Path:
    """Write and verify a checkpoint, then delete all but those of the newest `KEEP` steps; gives its folder.

    files: tensor file name without suffix -> tensor name -> array; elapsed: seconds of training. A failure leaves
    older checkpoints alone. A checkpoint of a step that has one already takes its place, and no other's.
    Raises CheckpointError: no room, no permission, NaN or infinity, a value JSON can't hold, a later step.
    """
    folder = run / "checkpoints"
    content = _content(files, {"config.json": to_json(config), "state.json": state, CLOCK: {"elapsed_s": elapsed}})
    with disk_errors(f"step {step} could not be saved in {folder}; the checkpoints there are as they were"):
        storage.make_folder(folder)
        _remove_leftovers(folder)
        _refuse_later(folder, step)
        storage.refuse_full(folder, manifest.needed(content))
        temporary = folder / f"{_TEMPORARY}{os.getpid()}"
        try:
            place = _place(folder, manifest.write(temporary, content, step))
            if not place.exists():
                temporary.rename(place)
                storage.sync_folder(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    with disk_errors(f"step {step} is saved as {place}, but an older checkpoint could not be deleted"):
        for old in _superseded(_checkpoints(folder)):
            # Renamed first: a deletion cut short must not look like a checkpoint.
            old.rename(folder / f"{_TEMPORARY}{old.name}")
        _remove_leftovers(folder)
    return place


def _superseded(found: list[Path]) -> list[Path]:
    """Those of the checkpoints `found`, oldest first, that are not the newest of one of the newest `KEEP` steps."""
    newest = {_order(path)[0]: path for path in found}
    kept = [newest[step] for step in sorted(newest)[-KEEP:]]
    return [path for path in found if path not in kept]


def _content(
    files: Mapping[str, Mapping[str, Array]], texts: Mapping[str, Mapping[str, Any]]
) -> dict[str, bytes | Encoded]:
    from muzero import tensors

    content: dict[str, bytes | Encoded] = {
        name: storage.encode_json(value, name, indent=None if name == "state.json" else 2)
        for name, value in texts.items()
    }
    for stem, arrays in files.items():
        name = f"{stem}.safetensors"
        if not manifest.is_file_name(name):
            raise CheckpointError(f"{stem!r} can't name a file: lower-case letters, digits and _ wanted")
        content[name] = tensors.encode(name, arrays)
        if fault := _fault(stem, arrays):
            raise CheckpointError(f"nothing was saved: {fault}")
    return content


def _fault(stem: str, arrays: Mapping[str, Array]) -> str | None:
    """Why these can't be the numbers of a network, or None."""
    from muzero import tensors

    if stem == "weights" and (found := tensors.other_dtype(arrays, WEIGHT_DTYPES)):
        return f"{stem}.safetensors: {' or '.join(sorted(WEIGHT_DTYPES))} wanted, got {found[:120]}"
    if stem not in EXACT and (found := tensors.not_finite(arrays)):
        return f"{stem}.safetensors: {found[:120]} holds NaN or infinity"
    return None


def _place(folder: Path, written: Manifest) -> Path:
    """Where a checkpoint belongs. An equal one of the same step is kept, another one gets a successor."""
    name = f"step-{written.step:08d}"
    same = [path for path in _checkpoints(folder) if _order(path)[0] == written.step]
    if not same:
        return folder / name
    last = same[-1]
    try:
        kept = not _differing(manifest.verified(last), written)
    except CheckpointError:
        kept = False
    return last if kept else folder / f"{name}.{_order(last)[1] + 1}"


def _refuse_later(folder: Path, step: int) -> None:
    found = _checkpoints(folder)
    if found and _order(found[-1])[0] > step:
        raise CheckpointError(
            f"{folder} already holds {found[-1].name}, later than step {step}: "
            "go on from it, or use another folder"
        )


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(path)


def check_writable(run: Path, need: int = 0) -> None:
    """Write and delete a small file, so that a run that can't be saved is refused before it starts.

    need: bytes a checkpoint will take. Raises CheckpointError with the reason.
    """
    with disk_errors(f"nothing can be saved in {run}"):
        storage.make_folder(run)
        probe = run / f"{_TEMPORARY}{os.getpid()}"
        probe.unlink(missing_ok=True)
        try:
            storage.write_file(probe, [b"probe"])
            storage.sync_folder(run)
        finally:
            probe.unlink(missing_ok=True)
        storage.refuse_full(run, need)


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Hold a run folder: one trainer at a time. Raises Locked with the holder's process id.

    The kernel lets go when the process ends, however it ends. A forked child shares the hold: spawn actors.
    """
    with disk_errors(f"{run} could not be locked"):
        storage.make_folder(run)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(run / "lock", flags, 0o644)
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


def newest(run: Path) -> Path | None:
    """The folder of the run's last checkpoint, None when it has none. Its content is not looked at."""
    return next(reversed(_checkpoints(run / "checkpoints")), None)


def snapshots(run: Path) -> list[Path]:
    """The agents a run left behind on its way, oldest first. Their content is not looked at."""
    return _checkpoints(run / SNAPSHOTS)


def _checkpoints(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    with disk_errors(f"{folder} could not be read"):
        found = [path for path in folder.iterdir() if _STEP.fullmatch(path.name)]
    return sorted((path for path in found if path.is_dir() and not path.is_symlink()), key=_order)


def _order(path: Path) -> tuple[int, int]:
    found = _STEP.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2] or 0)


def load(folder: Path, names: Iterable[str] | None = None) -> Checkpoint:
    """What a checkpoint or agent folder holds; only the tensor files in `names` (all when None).

    All sizes are compared before anything is read, and a file with its hash before it is used.
    Raises Damaged with the way to go on, Foreign, NewerFormat, or CheckpointError for a file it never held.
    """
    with _reading(folder):
        promise = manifest.read(folder)
        wanted = _wanted(folder, promise, names)
        for name, entry in promise.files.items():
            storage.check_size(folder / name, entry, limit=_limit(name))
        return Checkpoint(
            folder=folder,
            step=promise.step,
            config=_config(folder, promise),
            state=_object(folder, promise, "state.json") if "state.json" in promise.files else {},
            elapsed=_elapsed(folder, promise),
            tensors={name.removesuffix(".safetensors"): _tensors(folder, promise, name) for name in wanted},
        )


def read_config(folder: Path) -> Config:
    """The config of a checkpoint or agent folder. Raises as `load`; imports no torch."""
    return load(folder, ()).config


def count_of(state: Mapping[str, Any], name: str) -> int:
    """The counter `name` of a stored state. Raises KeyError, and ValueError for what no counter can be."""
    value = state[name]
    if type(value) is not int or not 0 <= value <= COUNT_LIMIT:
        raise ValueError(f"{name}: a whole number from 0 on wanted, got {str(value)[:40]}")
    return value


def number_of(state: Mapping[str, Any], name: str, high: float = COUNT_LIMIT) -> float:
    """The number `name` of a stored state, from 0 to `high`. Raises KeyError, and ValueError for any other."""
    value = state[name]
    if type(value) not in (int, float) or not 0 <= value <= high:
        raise ValueError(f"{name}: a number from 0 to {high:g} wanted, got {str(value)[:40]}")
    return float(value)


def _wanted(folder: Path, promise: Manifest, names: Iterable[str] | None) -> list[str]:
    present = sorted(name for name in promise.files if name.endswith(".safetensors"))
    wanted = present if names is None else sorted(f"{name}.safetensors" for name in names)
    for name in wanted:
        if name not in present:
            raise CheckpointError(f"{folder} holds no {name}; it holds {', '.join(present) or 'no tensors'}")
    need = sum(promise.files[name].size for name in wanted)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > memory // 2:
        raise CheckpointError(
            f"{folder} holds {need / 2**30:,.1f} GiB of tensors, more than half of this machine's memory "
            f"({memory / 2**30:,.1f} GiB); use a larger machine"
        )
    return wanted


def _limit(name: str) -> int:
    limits = {"weights.safetensors": WEIGHTS_LIMIT, "config.json": CONFIG_LIMIT}
    return limits.get(name, storage.JSON_LIMIT if name.endswith(".json") else 1 << 62)


def _tensors(folder: Path, promise: Manifest, name: str) -> dict[str, Tensor]:
    from muzero import tensors

    storage.check_content(folder / name, promise.files[name])
    found = tensors.read(folder / name, size=promise.files[name].size)
    if fault := _fault(name.removesuffix(".safetensors"), found):
        raise Damaged(fault)
    return found


def _config(folder: Path, promise: Manifest) -> Config:
    data = _object(folder, promise, "config.json")
    version = data.get("format")
    if type(version) is int and version > CONFIG_FORMAT:
        raise NewerFormat(
            f"{folder}: config format {str(version)[:20]} is newer than this version reads "
            f"({CONFIG_FORMAT}); update muzero-engine"
        )
    try:
        return from_json(data)
    except Retired as error:
        raise CheckpointError(f"{folder}: {error}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise Damaged(f"config.json: {error}") from None


def _elapsed(folder: Path, promise: Manifest) -> float:
    if CLOCK not in promise.files:
        return 0.0
    try:
        return number_of(_object(folder, promise, CLOCK), "elapsed_s")
    except (KeyError, ValueError) as error:
        raise Damaged(f"{CLOCK}: {error}") from None


def _object(folder: Path, promise: Manifest, name: str) -> dict[str, Any]:
    if name not in promise.files:
        raise Damaged(f"{name} is not in the manifest")
    storage.check_content(folder / name, promise.files[name])
    value = storage.read_json(folder / name)
    if not isinstance(value, dict):
        raise Damaged(f"{name} is {type(value).__name__}, an object wanted")
    return value


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Say of a damaged folder which one it is and how to go on."""
    try:
        with disk_errors(f"{folder} could not be read"):
            yield
    except Damaged as error:
        raise Damaged(f"{folder} is damaged: {str(error)[:500]}. {_mend(folder)}") from None


def _mend(folder: Path) -> str:
    if not _STEP.fullmatch(folder.name) or folder.parent.name == SNAPSHOTS:
        return "Get a fresh copy of it."
    older = [path.name for path in _checkpoints(folder.parent) if _order(path) < _order(folder)]
    if not older:
        return "There is no older checkpoint to go on from: start the run anew in another folder."
    return f"To go on from {older[-1]}, set it aside: mv {folder} {folder}.damaged"


def same_content(a: Path, b: Path) -> list[str]:
    """Names of the files that differ between two checkpoints, byte for byte.

    What the training itself doesn't follow from doesn't count: how long it took (`CLOCK`), when it was saved and by
    which versions (both in the manifest). Raises as `load`, for a folder that is not what its own manifest says.
    """
    with _reading(a):
        left = manifest.verified(a)
    with _reading(b):
        right = manifest.verified(b)
    return _differing(left, right)


def _differing(a: Manifest, b: Manifest) -> list[str]:
    names = (a.files.keys() | b.files.keys()) - {CLOCK}
    return sorted(name for name in names if a.files.get(name) != b.files.get(name))


def export(folder: Path, target: Path, card: Mapping[str, Any], *, weights: str = "weights") -> Path:
    """Write an agent folder from a checkpoint: config, weights and a card of what is known of it.

    weights: the checkpoint's tensor file that plays. An agent already at `target` is replaced; anything else
    there is Foreign. Raises as `load` and `save`.
    """
    source = load(folder, [weights])
    return write_agent(target, source.step, source.tensors[weights], source.config, card)


def write_agent(
    target: Path, step: int, weights: Mapping[str, Array], config: Config, card: Mapping[str, Any]
) -> Path:
    """Write an agent folder, whole or not at all, as `export` does: weights by tensor name after `step` learning steps.

    Raises as `save`, and Foreign.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        with _reading(target):
            manifest.read(target)
    texts = {"config.json": to_json(config), "card.json": card}
    content = _content({"weights": weights}, texts)
    temporary, replaced = (target.parent / f"{_TEMPORARY}{kind}-{target.name}" for kind in ("new", "old"))
    with disk_errors(f"no agent could be written to {target}"):
        storage.make_folder(target.parent)
        for leftover in (temporary, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            manifest.write(temporary, content, step)
            storage.write_file(temporary / "README.md", [_readme(config.game, step, card).encode()])
            if target.exists():
                target.rename(replaced)
            temporary.rename(target)
            storage.sync_folder(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    return target


def snapshot(
    run: Path, step: int, weights: Mapping[str, Array], config: Config, card: Mapping[str, Any]
) -> Path:
    """Leave an agent behind in the folder of a locked run, and give its place. One that is there already stays.

    Raises as `write_agent`.
    """
    target = run / SNAPSHOTS / f"step-{step:08d}"
    with disk_errors(f"{target.parent} could not be cleared of what a kill left"):
        _remove_leftovers(target.parent)
    return target if target.exists() else write_agent(target, step, weights, config, card)


def _readme(game: str, step: int, card: Mapping[str, Any]) -> str:
    play = f"muzero play {shlex.quote(game)}"
    opening = f"A MuZero agent after {step:,} learning steps. Play it: `{play}`."
    lines = [f"# {game}", "", opening, "", "| | |", "|---|---|"]
    for key, value in card.items():
        text = value if isinstance(value, str) else json.dumps(value)
        cell = text.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {key.replace('_', ' ')} | {cell} |")
    return "\n".join(lines) + "\n"


def slug(game: str) -> str:
    """A game's canonical name as a folder name: `hex(board_size=5)` -> `hex_board_size_5`."""
    return re.sub(r"[^a-z0-9]+", "_", game.lower()).strip("_")


def resolve(path_or_game: str) -> Path:
    """The folder to load for a run (its newest checkpoint), a checkpoint, an agent, or a shipped game.

    Raises CheckpointError naming the nearest shipped agent.
    """
    path, name = Path(path_or_game).expanduser(), slug(path_or_game)
    if (path / manifest.NAME).is_file():
        return path
    if path_or_game and (path / "checkpoints").is_dir():
        found = newest(path)
        if found is None:
            raise CheckpointError(f"{path} has no checkpoint yet; train it first")
        return found
    shipped = checkpoints.shipped()
    if name in shipped and os.sep not in path_or_game:
        return shipped[name]
    if path_or_game and path.exists():
        raise Foreign(f"{path} is no run, checkpoint or agent: no checkpoints/ and no {manifest.NAME} in it")
    near = difflib.get_close_matches(name, shipped, n=1, cutoff=0.5)
    hint = f"; nearest: {near[0]}" if near else ""
    listed = ", ".join(shipped) or "none"
    raise CheckpointError(f"no folder or shipped agent named {path_or_game!r}{hint} (shipped: {listed})")
