"""A checkpoint exists whole or not at all, comes back as it was, and never trusts what it reads."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import checkpoints
from muzero.config import Config, ModelConfig, TrainConfig
from muzero.config.kinds import NETWORKS, NetworkKind
from muzero.storage import agent_folder, checkpoint, disk, runs
from muzero.storage.checkpoint import CheckpointError, Damaged, Foreign

CONFIG = Config(train=TrainConfig(steps=7, seed=3))
STATE: dict[str, Any] = {"rng": {"state": 2**127 + 1, "kind": "PCG64"}, "drawn": 12, "share": 0.1, "no": None}


def tensors(seed: int = 0) -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    return {
        "weights": {"w": torch.randn(3, 4, generator=generator), "count": torch.tensor(seed)},
        "optimizer": {"m": torch.randn(4, 6, generator=generator).T.to(torch.bfloat16)},
        "replay": {"obs": rng.integers(0, 2, (5, 9), dtype=np.uint8), "action": rng.integers(0, 9, 5)},
    }


def save(run: Path, step: int, seed: int = 0) -> Path:
    return checkpoint.save(run, step, tensors(seed), STATE, CONFIG)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def promise(folder: Path, **changes: Any) -> None:
    """Make the manifest match the files, as a stranger would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for path in folder.iterdir():
        if path.suffix in (".json", ".safetensors") and path.name != "manifest.json":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            manifest["files"][path.name] = {"sha256": digest, "bytes": path.stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(bytes(data))


# Round trip.


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    found = checkpoint.load(save(tmp_path, 400))
    assert (found.step, found.config, found.state) == (400, CONFIG, STATE)
    assert found.folder.name == "step-00000400"
    for stem, arrays in tensors().items():
        assert found.tensors[stem].keys() == arrays.keys()
        for key, array in arrays.items():
            wanted = torch.as_tensor(array)
            assert found.tensors[stem][key].dtype == wanted.dtype
            assert torch.equal(found.tensors[stem][key], wanted)


TORCH_DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
    torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool,
]


@pytest.mark.parametrize("dtype", TORCH_DTYPES, ids=str)
def test_every_dtype_and_shape_is_read_by_the_library_as_well(tmp_path: Path, dtype: torch.dtype) -> None:
    base = torch.arange(24).remainder(2).to(dtype)
    arrays: dict[str, Any] = {
        "scalar": base[1].clone(), "empty": torch.zeros(0, 3, dtype=dtype), "strided": base.reshape(4, 6).T,
        "odd": torch.ones(3, dtype=torch.bool),
    }
    if dtype != torch.bfloat16:
        arrays["numpy"] = base.reshape(2, 3, 4).numpy()[:, ::-1]
        arrays["numpy_scalar"] = np.asarray(base.numpy()[1])
    folder = checkpoint.save(tmp_path, 0, {"replay": arrays}, {}, CONFIG)
    found = checkpoint.load(folder).tensors["replay"]
    library = load_file(folder / "replay.safetensors")
    for key, array in arrays.items():
        wanted = torch.from_numpy(np.array(array)) if isinstance(array, np.ndarray) else array
        assert found[key].dtype == library[key].dtype == dtype or key == "odd"
        assert found[key].shape == wanted.shape
        assert found[key].tolist() == library[key].tolist() == wanted.tolist()


def test_only_the_named_tensors_are_read(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    flip_byte(folder / "replay.safetensors")
    assert list(checkpoint.load(folder, ["weights"]).tensors) == ["weights"]
    assert checkpoint.load(folder, ()).tensors == {}
    with pytest.raises(Damaged, match=r"replay\.safetensors"):
        checkpoint.load(folder)
    with pytest.raises(CheckpointError, match=r"holds no actors\.safetensors; it holds optimizer"):
        checkpoint.load(folder, ["actors"])


def test_loaded_tensors_outlive_their_file(tmp_path: Path) -> None:
    found = checkpoint.load(save(tmp_path, 1))
    for path in found.folder.iterdir():
        path.write_bytes(b"")
    assert torch.equal(found.tensors["weights"]["w"], tensors()["weights"]["w"])


def test_equal_runs_give_equal_files(tmp_path: Path) -> None:
    a, b = save(tmp_path / "a", 5), save(tmp_path / "b", 5)
    promise(b, created="another time")
    assert checkpoint.same_content(a, b) == []
    c = checkpoint.save(tmp_path / "c", 5, tensors(1), STATE | {"drawn": 13}, CONFIG)
    assert checkpoint.same_content(a, c) == [
        "optimizer.safetensors", "replay.safetensors", "state.json", "weights.safetensors",
    ]
    flip_byte(b / "state.json")
    with pytest.raises(Damaged, match=r"state\.json was altered"):
        checkpoint.same_content(a, b)


# Saving.


def test_the_newest_two_remain(tmp_path: Path) -> None:
    assert runs.newest(tmp_path) is None
    for step in (1, 20, 300, 4000):
        assert runs.newest(tmp_path) != save(tmp_path, step)
    assert names(tmp_path) == ["step-00000300", "step-00004000"]
    assert runs.newest(tmp_path) == tmp_path / "checkpoints/step-00004000"


def test_a_step_saved_twice(tmp_path: Path) -> None:
    first = save(tmp_path, 4)
    assert save(tmp_path, 4) == first
    second = save(tmp_path, 4, seed=1)
    assert second.name == "step-00000004.1"
    assert runs.newest(tmp_path) == second
    flip_byte(second / "weights.safetensors")
    assert save(tmp_path, 4, seed=1).name == "step-00000004.2"
    assert names(tmp_path) == ["step-00000004.2"]


def test_a_step_saved_again_costs_no_other_step(tmp_path: Path) -> None:
    save(tmp_path, 1), save(tmp_path, 3), save(tmp_path, 4)
    for seed in (1, 2, 3):
        save(tmp_path, 4, seed=seed)
    assert names(tmp_path) == ["step-00000003", "step-00000004.3"]


def test_the_time_a_training_took_comes_back_and_makes_no_difference(tmp_path: Path) -> None:
    a, b = (checkpoint.save(tmp_path / run, 5, tensors(), STATE, CONFIG, elapsed=seconds)
            for run, seconds in (("a", 600.5), ("b", 7.0)))
    assert (checkpoint.load(a).elapsed, checkpoint.load(b).elapsed) == (600.5, 7.0)
    assert checkpoint.same_content(a, b) == []
    assert checkpoint.save(tmp_path / "a", 5, tensors(), STATE, CONFIG, elapsed=601.0) == a
    (b / "clock.json").unlink()
    manifest = json.loads((b / "manifest.json").read_text())
    del manifest["files"]["clock.json"]
    (b / "manifest.json").write_text(json.dumps(manifest))
    assert checkpoint.load(b).elapsed == 0.0
    assert checkpoint.same_content(a, b) == []


@pytest.mark.parametrize("said", ["-1", "1e300", '"5"', "null", "true"])
def test_a_time_that_can_not_be(tmp_path: Path, said: str) -> None:
    folder = save(tmp_path, 1)
    (folder / "clock.json").write_text(f'{{"elapsed_s": {said}}}')
    promise(folder)
    with pytest.raises(Damaged, match=r"clock\.json: elapsed_s: expected a number from 0"):
        checkpoint.load(folder)


def test_numbers_of_a_state() -> None:
    state = {"good": 3, "share": 0.5, "low": -1, "huge": 10**40, "text": "3", "truth": True, "nan": np.nan}
    assert checkpoint.count_of(state, "good") == 3
    assert (checkpoint.number_of(state, "good"), checkpoint.number_of(state, "share", 1.0)) == (3.0, 0.5)
    for name in ("low", "huge", "text", "truth", "nan"):
        with pytest.raises(ValueError, match=f"{name}: expected a whole number of 0 or more"):
            checkpoint.count_of(state, name)
        with pytest.raises(ValueError, match=f"{name}: expected a number from 0 to 1"):
            checkpoint.number_of(state, name, 1.0)
    with pytest.raises(ValueError, match="share"):
        checkpoint.count_of(state, "share")


def test_a_later_step_is_never_deleted(tmp_path: Path) -> None:
    save(tmp_path, 10)
    with pytest.raises(CheckpointError, match="step-00000010, later than step 9"):
        save(tmp_path, 9)
    assert names(tmp_path) == ["step-00000010"]


def test_leftovers_of_a_killed_process_go(tmp_path: Path) -> None:
    leftover = tmp_path / "checkpoints/.tmp-123"
    leftover.mkdir(parents=True)
    (leftover / "weights.safetensors").write_bytes(b"half")
    assert runs.newest(tmp_path) is None
    save(tmp_path, 1)
    assert names(tmp_path) == ["step-00000001"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {1: 2}}, r"state\.json\.a: expected a string as key, got 1"),
        ({"a": [float("nan")]}, r"state\.json\.a\[0\]: expected a finite number"),
        ({"a": np.int64(3)}, r"state\.json\.a: expected a JSON value, got int64"),
        ({"a": b"x"}, "got bytes"),
    ],
)
def test_state_that_json_would_change_is_refused(tmp_path: Path, state: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint.save(tmp_path, 1, {}, state, CONFIG)
    assert runs.newest(tmp_path) is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"weights": {"w": torch.tensor([1.0, float("nan")])}}, "weights.safetensors: w holds NaN"),
        ({"optimizer": {"m": np.array([np.inf])}}, "optimizer.safetensors: m holds NaN"),
        ({"weights": {"w": torch.zeros(2, dtype=torch.float64)}}, "expected .*F32 or I64, got w"),
        ({"other": {"w": torch.zeros(2, dtype=torch.complex64)}}, "complex64 can't be saved"),
        ({"other": {"w": np.zeros(2, dtype=">f4")}}, "can't be saved"),
        ({"other": {"__metadata__": torch.zeros(2)}}, "__metadata__"),
        ({"../other": {"w": torch.zeros(2)}}, "file name: expected lower-case letters"),
        ({"Weights": {"w": torch.zeros(2)}}, "file name: expected lower-case letters"),
    ],
)
def test_tensors_that_can_not_be_saved(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint.save(tmp_path, 1, files, {}, CONFIG)
    assert runs.newest(tmp_path) is None


def test_the_replay_is_kept_as_it_is(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 1, {"replay": {"p": torch.tensor([float("inf")])}}, {}, CONFIG)
    assert checkpoint.load(folder).tensors["replay"]["p"].item() == float("inf")


# A disk that fails.


DISK_FAULTS = {errno.ENOSPC: "full", errno.EACCES: "permission", errno.EROFS: "read-only", errno.EIO: "fault"}


class Usage(NamedTuple):
    total: int = 1 << 30
    used: int = 1 << 30
    free: int = 1 << 20


def test_a_full_disk_is_refused_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = save(tmp_path, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage())
    big = {"replay": {"obs": np.zeros(3 << 20, np.uint8)}}
    with pytest.raises(CheckpointError, match=r"expected 4 MiB of free space, got 1 MiB"):
        checkpoint.save(tmp_path, 2, big, {}, CONFIG)
    with pytest.raises(CheckpointError, match="expected 10 MiB of free space"):
        runs.check_writable(tmp_path, need=10 << 20)
    assert names(tmp_path) == [good.name]


@pytest.mark.parametrize("number", DISK_FAULTS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", range(6))
def test_a_write_that_fails_leaves_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: int
) -> None:
    good = save(tmp_path, 1)
    left = call

    def fsync(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CheckpointError) as caught:
        save(tmp_path, 2)
    assert str(tmp_path / "checkpoints") in str(caught.value)
    assert DISK_FAULTS[number] in str(caught.value)
    assert names(tmp_path) == [good.name]
    assert checkpoint.load(good).step == 1


def test_a_disk_that_gives_back_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = save(tmp_path, 1)
    write = disk.write_file

    def forgetful(path: Path, chunks: Any) -> disk.Entry:
        entry = write(path, chunks)
        if path.name == "weights.safetensors":
            flip_byte(path)
        return entry

    monkeypatch.setattr(disk, "write_file", forgetful)
    with pytest.raises(CheckpointError, match="reads back differently than written"):
        save(tmp_path, 2)
    assert names(tmp_path) == [good.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match="no permission"):
            runs.check_writable(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_check_writable(tmp_path: Path) -> None:
    runs.check_writable(tmp_path / "a/run")
    assert list((tmp_path / "a/run").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="expected a folder, found a file"):
        runs.check_writable(tmp_path / "file")
    with pytest.raises(CheckpointError, match="expected a folder, found a file"):
        runs.check_writable(tmp_path / "file/run")


def die_at(run: Path, call: int) -> None:
    """Save step 3, killed right before the `call`-th act on the disk."""
    left = call

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        acts = event.startswith(("os.", "shutil.")) or event == "open"
        if acts and arguments and str(run) in str(arguments[0]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    save(run, 3, seed=3)


def test_a_kill_at_any_instant_leaves_whole_checkpoints(tmp_path: Path) -> None:
    save(tmp_path, 1), save(tmp_path, 2)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "pytest", "safetensors.torch"])
    finished = 0
    for call in range(0, 200, 2):
        process = context.Process(target=die_at, args=(tmp_path, call))
        process.start()
        process.join(60)
        newest = runs.newest(tmp_path)
        assert newest is not None
        for folder in (tmp_path / "checkpoints").glob("step-*"):
            assert checkpoint.load(folder).step == int(folder.name[5:13])
        finished += process.exitcode == 0
        if finished:
            break
        assert process.exitcode == -signal.SIGKILL
        if newest.name == "step-00000003":
            # Back to the start, but with whatever the kill left lying about.
            shutil.rmtree(newest)
            save(tmp_path, 2, seed=call)
    assert finished == 1
    assert names(tmp_path)[-1] == "step-00000003"
    assert len(names(tmp_path)) == checkpoint.KEEP


# Lock.

HOLDER = """
import sys, time
from pathlib import Path
from muzero.storage import runs
with runs.lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_trainer_at_a_time_and_a_kill_lets_go(tmp_path: Path) -> None:
    root = Path(checkpoints.__file__).parent.parent
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            holders = f"in use by process {holder.pid}"
            with pytest.raises(runs.Locked, match=holders), runs.lock(tmp_path / "run"):
                pass
        finally:
            holder.kill()
    with runs.lock(tmp_path / "run"):
        assert (tmp_path / "run/lock").read_text() == f"{os.getpid()}\n"
    with runs.lock(tmp_path / "run"):
        pass


def test_a_lock_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("dear")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(CheckpointError, match="could not be locked"), runs.lock(tmp_path):
        pass
    assert (tmp_path / "victim").read_text() == "dear"


# Agents.


def test_an_agent_is_a_small_checkpoint(tmp_path: Path) -> None:
    target = tmp_path / "agents/tic_tac_toe"
    card = {"measured": "97 | of 100", "games": 200}
    agent_folder.export(save(tmp_path / "run", 9), target, card)
    assert sorted(path.name for path in target.iterdir()) == [
        "README.md", "card.json", "config.json", "manifest.json", "weights.safetensors",
    ]
    found = checkpoint.load(target)
    assert (found.step, found.config, found.state, list(found.tensors)) == (9, CONFIG, {}, ["weights"])
    assert torch.equal(found.tensors["weights"]["w"], tensors()["weights"]["w"])
    assert json.loads((target / "card.json").read_text()) == card
    assert "| measured | 97 \\| of 100 |" in (target / "README.md").read_text()
    flip_byte(target / "weights.safetensors")
    with pytest.raises(Damaged, match="Get a fresh copy"):
        checkpoint.load(target)


def test_an_agent_replaces_an_agent_and_nothing_else(tmp_path: Path) -> None:
    target, source = tmp_path / "agent", save(tmp_path / "run", 9, seed=1)
    agent_folder.export(save(tmp_path / "first", 3), target, {})
    agent_folder.export(source, target, {}, weights="weights")
    assert checkpoint.load(target).step == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent", "first", "run"]
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"cat")
    with pytest.raises(Foreign):
        agent_folder.export(source, tmp_path / "photos", {})
    assert (tmp_path / "photos/cat.jpg").read_bytes() == b"cat"


def test_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "run", 1)
    folder = save(tmp_path / "run", 2)
    agent = agent_folder.export(folder, tmp_path / "shipped/hex_board_size_5", {})
    monkeypatch.setattr(checkpoints, "__file__", str(tmp_path / "shipped/__init__.py"))
    assert checkpoints.shipped() == {"hex_board_size_5": agent}
    assert runs.resolve(str(tmp_path / "run")) == folder
    assert runs.resolve(str(folder)) == folder
    assert runs.resolve(str(agent)) == agent
    assert runs.resolve("hex(board_size=5)") == agent
    pong = agent_folder.export(folder, tmp_path / "shipped/atari_pong", {})
    assert runs.resolve("atari/pong") == pong, "a name with a slash that is no path"
    assert checkpoint.read_config(agent) == CONFIG
    (tmp_path / "empty/checkpoints").mkdir(parents=True)
    for name, kind, message in (
        ("hex(bord_size=5)", CheckpointError, f"nearest: {CONFIG.game} "),
        ("", CheckpointError, "no folder or shipped agent"),
        (str(tmp_path / "nowhere"), CheckpointError, "no folder or shipped agent"),
        (str(tmp_path / "empty"), CheckpointError, "expected a checkpoint, found none yet"),
        (str(tmp_path), Foreign, "expected a run, checkpoint or agent"),
        (str(folder / "state.json"), Foreign, "expected a run, checkpoint or agent"),
    ):
        with pytest.raises(kind, match=message):
            runs.resolve(name)


@pytest.mark.parametrize(
    ("game", "folder"),
    [("catch", "catch"), ("hex(board_size=5)", "hex_board_size_5"), ("connect_four()", "connect_four")],
)
def test_slug(game: str, folder: str) -> None:
    assert runs.slug(game) == folder


def test_folders_and_configs_are_found_without_torch(tmp_path: Path) -> None:
    save(tmp_path, 1)
    code = (
        "import sys; from pathlib import Path; from muzero.storage import checkpoint, metrics, runs; "
        "checkpoint.read_config(runs.resolve(sys.argv[1])); assert 'torch' not in sys.modules"
    )
    root = Path(checkpoints.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=True, timeout=60)


def test_a_kind_of_network_says_which_settings_make_its_files_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network deeper than any of ours can be read back, and one that is not deep may not have as many tensors."""
    files = {"weights": {f"layer{number}": torch.zeros(1) for number in range(600)}}
    deep = Config(model=ModelConfig(hidden=40))
    folder = checkpoint.save(tmp_path, 1, files, {}, deep)
    with pytest.raises(Damaged, match=r"the header of weights\.safetensors is too long or nested too deeply"):
        checkpoint.load(folder)
    monkeypatch.setitem(NETWORKS, "mlp", NetworkKind("toys_network", blocks=("hidden",)))
    assert len(checkpoint.load(folder).tensors["weights"]) == 600
