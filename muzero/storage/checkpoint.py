"""Checkpoints: config, state and tensors in one folder, which exists whole or not at all.

    step-00000400/   manifest.json config.json state.json clock.json weights.safetensors ...

No file is ever unpickled. torch is imported when tensors are written or read, not before: the command line
reads configs without it.
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
"""Steps of a run whose newest checkpoint remains after a save."""
STATE = "state.json"
CLOCK = "clock.json"
"""How long the training took. The one file that equal runs don't share."""
WEIGHTS_LIMIT = 1 << 31
"""Bytes of the largest weights file that is read."""
COUNT_LIMIT = 1 << 53
"""Largest counter or other number that a state may hold."""
CONFIG_LIMIT = 1 << 20
"""Bytes of the largest config that is read."""
CLOCK_LIMIT = 1 << 12
"""Bytes of the largest clock that is read."""
TENSORS, BLOCK_TENSORS, FILE_TENSORS = 128, 12, 4
"""Tensors of a model at most: outside its residual blocks, and in each; and in another file for each of these."""
BLOCKS_COUNTED = 2
"""Residual blocks for each that a setting counts: `pixels` has as many after each of two halvings."""
STATE_PARTS, GAME_PARTS = 4_096, 64
"""Lists, objects and strings of a state at most: outside its unfinished games, and for each one."""
EXACT = frozenset({"replay", "actors"})
"""Tensor files kept as they are. All others hold numbers of a network and must be finite."""
WEIGHT_DTYPES = frozenset({"F32", "I64"})
"""Parameters, and counters of normalisation."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint or agent folder holds."""

    folder: Path
    step: int
    """learning steps done"""
    config: Config
    state: dict[str, Any]
    """counters and random states; empty for an agent, and where only some of the tensor files were asked for"""
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
    folder = run / runs.CHECKPOINTS
    content = encode(files, {"config.json": to_json(config), STATE: state, CLOCK: {"elapsed_s": elapsed}})
    with disk_errors(f"step {step} could not be saved in {folder}; the checkpoints there are as they were"):
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
    """Those of the checkpoints `found`, oldest first, that are not the newest of one of the newest `KEEP` steps."""
    newest = {runs.order(path)[0]: path for path in found}
    kept = [newest[step] for step in sorted(newest)[-KEEP:]]
    return [path for path in found if path not in kept]


def encode(
    files: Mapping[str, Mapping[str, Array]], texts: Mapping[str, Mapping[str, Any]]
) -> dict[str, bytes | Encoded]:
    """What to write: file name -> bytes. Raises CheckpointError, before anything is written, as `save`.

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
            raise CheckpointError(f"{stem!r} can't name a file: expected lower-case letters, digits and _")
        content[name] = tensors.encode(name, arrays)
        if fault := _fault(stem, arrays):
            raise CheckpointError(f"nothing was saved: {fault}")
    return content


def _fault(stem: str, arrays: Mapping[str, Array]) -> str | None:
    """Why these can't be the numbers of a network, or None."""
    from muzero.storage import tensors

    if stem == "weights" and (found := tensors.other_dtype(arrays, WEIGHT_DTYPES)):
        return f"{stem}.safetensors: expected {' or '.join(sorted(WEIGHT_DTYPES))}, got {found[:120]}"
    if stem not in EXACT and (found := tensors.not_finite(arrays)):
        return f"{stem}.safetensors: {found[:120]} holds NaN or infinity"
    return None


def _place(folder: Path, written: Manifest) -> Path:
    """Where a checkpoint belongs. An equal one of the same step is kept, another one gets a successor."""
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
            "go on from it, or use another folder"
        )


def load(folder: Path, names: Iterable[str] | None = None) -> Checkpoint:
    """What a checkpoint or agent folder holds; only the tensor files in `names`, and then without the state (all when
    None).

    All sizes are compared before anything is read, and a file with its hash before it is used.
    Raises Damaged with the way to go on, Foreign, NewerFormat, or CheckpointError for a file it never held.
    """
    with reading(folder):
        promise = manifest.read(folder)
        wanted = _wanted(folder, promise, names)
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
            tensors={name.removesuffix(".safetensors"): _tensors(folder, promise, name, config) for name in wanted},
        )


def _state_parts(config: Config) -> int:
    return STATE_PARTS + GAME_PARTS * config.selfplay.games


def _tensors_most(config: Config) -> int:
    """How many tensors a file may hold."""
    blocks: int = sum(getattr(config.model, name) for name in NETWORKS[config.model.network].blocks)
    return FILE_TENSORS * (TENSORS + BLOCK_TENSORS * BLOCKS_COUNTED * blocks)


def read_config(folder: Path) -> Config:
    """The config of a checkpoint or agent folder. Raises as `load`; imports no torch."""
    return load(folder, ()).config


def count_of(state: Mapping[str, Any], name: str) -> int:
    """The counter `name` of a stored state. Raises KeyError, and ValueError for what no counter can be."""
    value = state[name]
    if type(value) is not int or not 0 <= value <= COUNT_LIMIT:
        raise ValueError(f"{name}: expected a whole number from 0 on, got {str(value)[:40]}")
    return value


def number_of(state: Mapping[str, Any], name: str, high: float = COUNT_LIMIT) -> float:
    """The number `name` of a stored state, from 0 to `high`. Raises KeyError, and ValueError for any other."""
    value = state[name]
    if type(value) not in (int, float) or not 0 <= value <= high:
        raise ValueError(f"{name}: expected a number from 0 to {high:g}, got {str(value)[:40]}")
    return float(value)


def _wanted(folder: Path, promise: Manifest, names: Iterable[str] | None) -> list[str]:
    present = sorted(name for name in promise.files if name.endswith(".safetensors"))
    wanted = present if names is None else sorted(f"{name}.safetensors" for name in names)
    for name in wanted:
        if name not in present:
            raise CheckpointError(f"{folder} holds no {name}; it holds {', '.join(present) or 'no tensors'}")
    need = sum(promise.files[name].size for name in wanted)
    most = memory()
    if need > most // 2:
        raise CheckpointError(
            f"{folder} holds {need / 2**30:,.1f} GiB of tensors, more than half of the memory this process may have "
            f"({most / 2**30:,.1f} GiB); use a larger machine"
        )
    return wanted


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
        raise Damaged("config.json: the name of the game holds signs that can't be shown")
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
    """Say of a damaged folder which one it is and how to go on."""
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
        return "There is no older checkpoint to go on from: start the run anew in another folder."
    aside = [path for path in older if runs.order(path) > runs.order(folder.parent / sound[-1])]
    moves = "; ".join(f"mv {path} {path}.damaged" for path in [folder, *aside])
    return f"To go on from {sound[-1]}, set it aside: {moves}"


def _sound(folder: Path) -> bool:
    try:
        manifest.verified(folder)
    except (CheckpointError, OSError):
        return False
    return True


def same_content(a: Path, b: Path) -> list[str]:
    """Names of the files that differ between two checkpoints, byte for byte.

    What the training itself doesn't follow from doesn't count: how long it took (`CLOCK`), when it was saved and by
    which versions (both in the manifest). Raises as `load`, for a folder that is not what its own manifest says.
    """
    with reading(a):
        left = manifest.verified(a)
    with reading(b):
        right = manifest.verified(b)
    return _differing(left, right)


def _differing(a: Manifest, b: Manifest) -> list[str]:
    names = (a.files.keys() | b.files.keys()) - {CLOCK}
    return sorted(name for name in names if a.files.get(name) != b.files.get(name))
