"""Checkpoints: config, state and tensors in one folder, written atomically.

    step-00000400/   manifest.json config.json state.json clock.json weights.safetensors ...

Nothing is ever unpickled. torch is imported only when tensors are written or read, as the command line reads configs
without it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from games.machine import memory
from games.own_names import is_own
from muzero.config import FORMAT as CONFIG_FORMAT
from muzero.config import Config, Retired, from_json, to_json
from muzero.config.kinds import NETWORKS
from muzero.storage import disk, manifest, runs
from muzero.storage.disk import CheckpointError, Damaged, disk_errors
from muzero.storage.manifest import Foreign, Manifest, NewerFormat
from muzero.view.terminal import printable

if TYPE_CHECKING:
    from torch import Tensor

    from muzero.storage.tensors import Array, Encoded

__all__ = [
    "Checkpoint", "CheckpointError", "Damaged", "Foreign", "NewerFormat", "count_of", "encode", "load", "number_of",
    "read_config", "reading", "same_content", "save",
]

KEEP = 2
"""After a save, the newest checkpoint of each of this many last steps is kept."""
STATE = "state.json"
CLOCK = "clock.json"
"""How long training has taken. The only file that differs between equal runs."""
WEIGHTS_LIMIT = 1 << 31
"""Largest weights file that is read, in bytes."""
COUNT_LIMIT = 1 << 53
"""Largest counter or other number in a state."""
CONFIG_LIMIT = 1 << 20
"""Largest config that is read, in bytes."""
CLOCK_LIMIT = 1 << 12
"""Largest clock file that is read, in bytes."""
TENSORS, BLOCK_TENSORS, FILE_TENSORS = 128, 12, 4
"""Most tensors of a model: outside its residual blocks, and in each; and in another file, for each of these."""
BLOCKS_COUNTED = 2
"""Residual blocks for each that a setting counts: `pixels` has as many after each of two halvings."""
STATE_PARTS, GAME_PARTS = 4_096, 64
"""Most lists, objects and strings in a state: outside its unfinished games, and for each game."""
EXACT = frozenset({"replay", "held_out", "actors"})
"""Tensor files stored without a check. All others hold numbers of a network and must be finite."""
WEIGHT_DTYPES = frozenset({"F32", "I64"})
"""Parameters, and counters of normalisation."""


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint or agent folder."""

    folder: Path
    step: int
    """learning steps done"""
    config: Config
    state: dict[str, Any]
    """counters and random states; empty for an agent, or if only some tensor files were requested"""
    elapsed: float
    """seconds of training, including earlier sessions of the run; 0 if unknown"""
    tensors: dict[str, dict[str, Tensor]]
    """file name without suffix -> tensor name -> tensor on the CPU"""


def save(
    run: Path, step: int, files: Mapping[str, Mapping[str, Array]], state: Mapping[str, Any], config: Config,
    *, elapsed: float = 0.0,
) -> Path:
    """Write and verify a checkpoint, then delete all but those of the newest `KEEP` steps; returns its folder.

    files: tensor file name without suffix -> tensor name -> array; elapsed: seconds of training. A failure leaves older
    checkpoints untouched. A checkpoint of a step that already has one replaces only that one.
    Raises CheckpointError: disk full, no permission, NaN or infinity, a value JSON can't hold, a later step exists.
    """
    folder = run / runs.CHECKPOINTS
    content = encode(files, {"config.json": to_json(config), STATE: state, CLOCK: {"elapsed_s": elapsed}})
    with disk_errors(f"step {step} could not be saved in {folder}; the checkpoints there are unchanged"):
        disk.make_folder(folder)
        runs.remove_leftovers(folder)
        _refuse_later(folder, step)
        disk.refuse_full(folder, manifest.needed(content))
        temporary = folder / f"{disk.TEMPORARY}{os.getpid()}"
        try:
            place = _place(folder, manifest.write(temporary, content, step))
            if not disk.is_there(place):
                temporary.rename(place)
                disk.sync_folder(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    with disk_errors(f"step {step} is saved as {place}, but an older checkpoint could not be deleted"):
        runs.delete(folder, _superseded(runs.steps_in(folder)))
    return place


def _superseded(found: list[Path]) -> list[Path]:
    """Checkpoints to delete: of `found`, oldest first, those that aren't the newest of one of the newest `KEEP` steps.
    """
    newest = {runs.order(path)[0]: path for path in found}
    kept = [newest[step] for step in sorted(newest)[-KEEP:]]
    return [path for path in found if path not in kept]


def encode(
    files: Mapping[str, Mapping[str, Array]], texts: Mapping[str, Mapping[str, Any]]
) -> dict[str, bytes | Encoded]:
    """The files to write: file name -> bytes. Raises the CheckpointErrors of `save`, before anything is written.

    files: tensor file name without suffix -> tensor name -> array; texts: JSON file name -> object.
    """
    from muzero.storage import tensors

    content: dict[str, bytes | Encoded] = {
        name: disk.encode_json(value, name, indent=None if name == STATE else 2)
        for name, value in texts.items()
    }
    for stem, arrays in files.items():
        name = f"{stem}.safetensors"
        if not manifest.is_file_name(name):
            raise CheckpointError(f"file name: expected lower-case letters, digits and _, got {stem!r}")
        content[name] = tensors.encode(name, arrays)
        if fault := _fault(stem, arrays):
            raise CheckpointError(f"nothing was saved: {fault}")
    return content


def _fault(stem: str, arrays: Mapping[str, Array]) -> str | None:
    """Why these arrays can't be numbers of a network, or None."""
    from muzero.storage import tensors

    if stem == "weights" and (found := tensors.other_dtype(arrays, WEIGHT_DTYPES)):
        return f"{stem}.safetensors: expected {' or '.join(sorted(WEIGHT_DTYPES))}, got {found[:120]}"
    if stem not in EXACT and (found := tensors.not_finite(arrays)):
        return f"{stem}.safetensors: {found[:120]} holds NaN or infinity"
    return None


def _place(folder: Path, written: Manifest) -> Path:
    """The folder for a checkpoint: that of an equal one of the same step, or else a new one."""
    name = f"step-{written.step:08d}"
    same = [path for path in runs.steps_in(folder) if runs.order(path)[0] == written.step]
    if not same:
        return folder / name
    last = same[-1]
    try:
        kept = not _differing(manifest.verified(last), written)
    except CheckpointError:
        kept = False
    return last if kept else folder / f"{name}.{runs.order(last)[1] + 1}"


def _refuse_later(folder: Path, step: int) -> None:
    found = runs.steps_in(folder)
    if found and runs.order(found[-1])[0] > step:
        raise CheckpointError(
            f"{folder} already holds {found[-1].name}, later than step {step}: "
            "resume from it, or use another folder"
        )


def load(folder: Path, names: Iterable[str] | None = None) -> Checkpoint:
    """Load a checkpoint or agent folder; with `names`, only those tensor files, without the state.

    All sizes are checked before anything is read, and a file's hash before it is used.
    Raises Damaged with a remedy, Foreign, NewerFormat, or CheckpointError for a file that it never had.
    """
    with reading(folder):
        promise = manifest.read(folder)
        chosen = _chosen(folder, promise, names)
        for name, entry in promise.files.items():
            disk.check_size(folder / name, entry, limit=_limit(name))
        config = _config(folder, promise)
        whole = names is None and STATE in promise.files
        return Checkpoint(
            folder=folder,
            step=promise.step,
            config=config,
            state=_object(folder, promise, STATE, _state_parts(config)) if whole else {},
            elapsed=_elapsed(folder, promise),
            tensors={name.removesuffix(".safetensors"): _tensors(folder, promise, name, config) for name in chosen},
        )


def _state_parts(config: Config) -> int:
    return STATE_PARTS + GAME_PARTS * config.selfplay.games


def _tensors_most(config: Config) -> int:
    """Most tensors that a file may hold."""
    blocks: int = sum(getattr(config.model, name) for name in NETWORKS[config.model.network].blocks)
    return FILE_TENSORS * (TENSORS + BLOCK_TENSORS * BLOCKS_COUNTED * blocks)


def read_config(folder: Path) -> Config:
    """The config of a checkpoint or agent folder. Raises what `load` raises; doesn't import torch."""
    return load(folder, ()).config


def count_of(state: Mapping[str, Any], name: str) -> int:
    """The counter `name` of a stored state. Raises KeyError, and ValueError for an invalid counter."""
    value = state[name]
    if type(value) is not int or not 0 <= value <= COUNT_LIMIT:
        raise ValueError(f"{name}: expected a whole number of 0 or more, got {str(value)[:40]}")
    return value


def number_of(state: Mapping[str, Any], name: str, high: float = COUNT_LIMIT) -> float:
    """The number `name` of a stored state, from 0 to `high`. Raises KeyError, and ValueError for any other."""
    value = state[name]
    if type(value) not in (int, float) or not 0 <= value <= high:
        raise ValueError(f"{name}: expected a number from 0 to {high:g}, got {str(value)[:40]}")
    return float(value)


def _chosen(folder: Path, promise: Manifest, names: Iterable[str] | None) -> list[str]:
    present = sorted(name for name in promise.files if name.endswith(".safetensors"))
    chosen = present if names is None else sorted(f"{name}.safetensors" for name in names)
    for name in chosen:
        if name not in present:
            raise CheckpointError(f"{folder} holds no {name}; it holds {', '.join(present) or 'no tensors'}")
    need = sum(promise.files[name].size for name in chosen)
    most = memory()
    if need > most // 2:
        raise CheckpointError(
            f"{folder} holds {need / 2**30:,.1f} GiB of tensors, more than half of the memory this process may use "
            f"({most / 2**30:,.1f} GiB); use a larger machine"
        )
    return chosen


def _limit(name: str) -> int:
    limits = {"weights.safetensors": WEIGHTS_LIMIT, "config.json": CONFIG_LIMIT, CLOCK: CLOCK_LIMIT}
    return limits.get(name, disk.JSON_LIMIT if name.endswith(".json") else 1 << 62)


def _tensors(folder: Path, promise: Manifest, name: str, config: Config) -> dict[str, Tensor]:
    from muzero.storage import tensors

    disk.check_content(folder / name, promise.files[name])
    found = tensors.read(folder / name, size=promise.files[name].size, most=_tensors_most(config))
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
    if not is_own(game := str(data.get("game"))) and not game.isprintable():
        raise Damaged("config.json: the name of the game holds unprintable characters")
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


def _object(folder: Path, promise: Manifest, name: str, parts: int = disk.PARTS_LIMIT) -> dict[str, Any]:
    if name not in promise.files:
        raise Damaged(f"{name} is not in the manifest")
    disk.check_content(folder / name, promise.files[name])
    value = disk.read_json(folder / name, parts=parts)
    if not isinstance(value, dict):
        raise Damaged(f"{name}: expected an object, got {type(value).__name__}")
    return value


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Adds to the error of a damaged folder its name and a remedy."""
    try:
        with disk_errors(f"{folder} could not be read"):
            yield
    except Damaged as error:
        raise Damaged(f"{folder} is damaged: {printable(str(error)[:500])}. {_mend(folder)}") from None


def _mend(folder: Path) -> str:
    if not runs.is_step(folder) or folder.parent.name == runs.SNAPSHOTS:
        return "Get a fresh copy of it."
    older = [path for path in runs.steps_in(folder.parent) if runs.order(path) < runs.order(folder)]
    sound = [path.name for path in older if _sound(path)]
    if not sound:
        return "There is no older checkpoint to resume from: start a new run in another folder."
    aside = [path for path in older if runs.order(path) > runs.order(folder.parent / sound[-1])]
    moves = "; ".join(f"mv {path} {path}.damaged" for path in [folder, *aside])
    return f"To resume from {sound[-1]}, set it aside: {moves}"


def _sound(folder: Path) -> bool:
    try:
        manifest.verified(folder)
    except (CheckpointError, OSError):
        return False
    return True


def same_content(a: Path, b: Path) -> list[str]:
    """Names of the files that differ between two checkpoints, byte for byte.

    Ignores what training doesn't depend on: how long it took (`CLOCK`), and when and by which versions it was saved
    (both in the manifest). Raises what `load` raises, for a folder that doesn't match its manifest.
    """
    with reading(a):
        left = manifest.verified(a)
    with reading(b):
        right = manifest.verified(b)
    return _differing(left, right)


def _differing(a: Manifest, b: Manifest) -> list[str]:
    names = (a.files.keys() | b.files.keys()) - {CLOCK}
    return sorted(name for name in names if a.files.get(name) != b.files.get(name))
