"""Checkpoints from a failing disk or a stranger: answered by name, never believed, never waited for."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_checkpoint import flip_byte, promise, save

from muzero.storage import checkpoint, disk, runs
from muzero.storage.checkpoint import CheckpointError, Damaged, Foreign, NewerFormat


def replace_with(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        path.rename(path.with_name("moved"))
        make(path)

    return act


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "is missing"),
    "truncated": (lambda path: os.truncate(path, path.stat().st_size - 1), "by the manifest"),
    "empty": (lambda path: os.truncate(path, 0), "by the manifest, got 0"),
    "grown": (lambda path: os.truncate(path, path.stat().st_size + 1), "by the manifest"),
    "flipped": (flip_byte, "was altered"),
    "link": (replace_with(lambda path: path.symlink_to(path.with_name("moved"))), "got a link"),
    "pipe": (replace_with(os.mkfifo), "got a pipe"),
    "folder": (replace_with(Path.mkdir), "got a folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["weights.safetensors", "replay.safetensors", "state.json", "config.json"])
def test_a_damaged_file_is_named_with_the_way_on(tmp_path: Path, damage: str, name: str) -> None:
    save(tmp_path, 1)
    folder = save(tmp_path, 2)
    act, message = DAMAGES[damage]
    act(folder / name)
    with pytest.raises(Damaged) as caught:
        checkpoint.load(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder} is damaged: {name}")
    assert message in text
    assert text.endswith(f"To resume from step-00000001, set it aside: mv {folder} {folder}.damaged")
    folder.rename(f"{folder}.damaged")
    newest = runs.newest(tmp_path)
    assert newest is not None
    assert checkpoint.load(newest).step == 1


@pytest.mark.parametrize("damage", ["link", "pipe", "folder"])
def test_the_manifest_itself_is_no_plain_file(tmp_path: Path, damage: str) -> None:
    folder = save(tmp_path, 1)
    act, message = DAMAGES[damage]
    act(folder / "manifest.json")
    with pytest.raises(Damaged, match=f"manifest.json: .*{message}"):
        checkpoint.load(folder)


def test_a_folder_without_manifest_is_foreign(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    (folder / "manifest.json").unlink()
    with pytest.raises(Foreign, match=r"it has no manifest\.json"):
        checkpoint.load(folder)
    with pytest.raises(Foreign, match=r"it has no manifest\.json"):
        checkpoint.load(tmp_path / "nowhere")


def test_the_way_on_leads_to_a_sound_checkpoint(tmp_path: Path) -> None:
    folders = [save(tmp_path, step) for step in (1, 2)]
    shutil.copytree(folders[1], tmp_path / "checkpoints/step-00000003")
    folders.append(tmp_path / "checkpoints/step-00000003")
    for folder in folders[1:]:
        flip_byte(folder / "state.json")
    with pytest.raises(Damaged) as caught:
        checkpoint.load(folders[2])
    way = "; ".join(f"mv {folder} {folder}.damaged" for folder in (folders[2], folders[1]))
    assert str(caught.value).endswith(f"To resume from step-00000001, set it aside: {way}")


def test_the_only_checkpoint_damaged(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    flip_byte(folder / "state.json")
    with pytest.raises(Damaged, match="no older checkpoint"):
        checkpoint.load(folder)


SHA = "0" * 64
MANIFESTS: dict[str, tuple[Any, type[CheckpointError], str]] = {
    "foreign": ({"name": "extension"}, Foreign, "belongs to something else"),
    "list": ([], Foreign, "belongs to something else"),
    "newer": ({"format": 2}, NewerFormat, "update"),
    "newer by far": ({"format": 10**400}, NewerFormat, "update"),
    "no format": ({"format": None}, Damaged, "proper format"),
    "bool step": ({"step": True}, Damaged, "proper format or step"),
    "negative step": ({"step": -1}, Damaged, "proper format or step"),
    "huge step": ({"step": 10**300}, Damaged, "proper format or step"),
    "no files": ({"files": []}, Damaged, "lists no files"),
    "outside": ({"files": {"../x.json": {"sha256": SHA, "bytes": 1}}}, Damaged, "expected names of checkpoint files"),
    "absolute": ({"files": {"/x.json": {"sha256": SHA, "bytes": 1}}}, Damaged, "expected names of checkpoint files"),
    "hidden": ({"files": {".x.json": {"sha256": SHA, "bytes": 1}}}, Damaged, "expected names of checkpoint files"),
    "newline": ({"files": {"x.json\n": {"sha256": SHA, "bytes": 1}}}, Damaged, "expected names of checkpoint files"),
    "itself": ({"files": {"manifest.json": {"sha256": SHA, "bytes": 1}}}, Damaged,
               "expected names of checkpoint files"),
    "pickle": ({"files": {"weights.pt": {"sha256": SHA, "bytes": 1}}}, Damaged, "expected names of checkpoint files"),
    "no hash": ({"files": {"x.json": {"bytes": 1}}}, Damaged, "expected a SHA-256"),
    "odd hash": ({"files": {"x.json": {"sha256": "z" * 64, "bytes": 1}}}, Damaged, "expected a SHA-256"),
    "bool size": ({"files": {"x.json": {"sha256": SHA, "bytes": True}}}, Damaged, "expected a size"),
    "negative size": ({"files": {"x.json": {"sha256": SHA, "bytes": -1}}}, Damaged, "expected a size"),
    "huge size": ({"files": {"x.json": {"sha256": SHA, "bytes": 10**400}}}, Damaged, "expected a size"),
    "no config": ({"files": {}}, Damaged, "config.json is not in the manifest"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_not_trusted(tmp_path: Path, name: str) -> None:
    change, kind, message = MANIFESTS[name]
    folder = save(tmp_path, 1)
    path = folder / "manifest.json"
    good = json.loads(path.read_text())
    path.write_text(json.dumps(change if kind is Foreign else {**good, **change}))
    with pytest.raises(kind, match=message):
        checkpoint.load(folder)


JSON_BOMBS: dict[str, tuple[bytes, str]] = {
    "nested lists": (b"[" * 500_000, "nested too deeply"),
    "nested objects": (b'{"a":' * 150_000, "nested too deeply"),
    "repeated key": (b'{"a": 1, "a": 2}', "'a' appears twice"),
    "infinite": (b'{"a": 1e999}', "beyond the range"),
    "nan": (b'{"a": NaN}', "NaN is not a JSON number"),
    "long number": (b'{"a": ' + b"9" * 5000 + b"}", "not the JSON"),
    "not utf-8": (b'{"a": "\xff"}', "not the JSON"),
    "empty": (b"", "not the JSON"),
    "too large": (b" " * ((1 << 20) + 1) + b"{}", "expected at most 1,048,576 bytes"),
}


@pytest.mark.parametrize("name", JSON_BOMBS)
@pytest.mark.parametrize("file", ["manifest.json", "config.json"])
def test_hostile_json(tmp_path: Path, file: str, name: str) -> None:
    data, message = JSON_BOMBS[name]
    folder = save(tmp_path, 1)
    (folder / file).write_bytes(data)
    if file != "manifest.json":
        promise(folder)
    with pytest.raises(Damaged, match=message):
        checkpoint.load(folder)


BOMBS = {"lists": b"[" + b"[]," * 5_000_000 + b"[]]", "objects": b"[" + b"{}," * 5_000_000 + b"{}]",
         "strings": b'{"a":[' + b'"ab",' * 3_000_000 + b'""]}'}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the JSON texts that were made into values."""
    sizes, loads = [], json.loads

    def counting(text: str, **kinds: Any) -> Any:
        sizes.append(len(text))
        return loads(text, **kinds)

    monkeypatch.setattr(disk.json, "loads", counting)  # type: ignore[attr-defined]
    return sizes


@pytest.mark.parametrize("name", BOMBS)
def test_a_large_state_is_refused_unread_and_no_agent_reads_one(
    tmp_path: Path, name: str, parsed: list[int]
) -> None:
    folder = save(tmp_path, 1)
    (folder / "state.json").write_bytes(BOMBS[name])
    promise(folder)
    words = r"state\.json is too long or nested too deeply: expected at most [\d,]+ lists, objects"
    with pytest.raises(Damaged, match=words):
        checkpoint.load(folder)
    assert checkpoint.load(folder, ["weights"]).state == {}
    assert checkpoint.read_config(folder)
    assert max(parsed) < 10_000, "the bomb was never made into values"


def test_a_state_may_say_something_of_each_game(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    games = checkpoint.read_config(folder).selfplay.games
    for histories, sound in ((20 * games, True), (80 * games + 5_000, False)):
        (folder / "state.json").write_text(json.dumps({"histories": [[1, 2, 3]] * histories}))
        promise(folder)
        if sound:
            assert len(checkpoint.load(folder).state["histories"]) == histories
        else:
            with pytest.raises(Damaged, match=r"state\.json is too long"):
                checkpoint.load(folder)


def test_a_header_may_name_as_many_tensors_as_the_config_can_need(tmp_path: Path, parsed: list[int]) -> None:
    folder = save(tmp_path, 1)
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    long = "too long or nested too deeply"
    for count, message in ((200_000, long), (2_000, long), (1_000, "tensors, got 1,000")):
        data = safetensors({f"t{number}": entry for number in range(count)})
        if count == 1_000:
            data = safetensors({f"{number}": {} for number in range(count)})
        (folder / "weights.safetensors").write_bytes(data)
        promise(folder)
        with pytest.raises(Damaged, match=message):
            checkpoint.load(folder, ["weights"])
    assert max(parsed) < 20_000
    name = "n" * 500_000
    (folder / "weights.safetensors").write_bytes(safetensors({name: entry}))
    promise(folder)
    with pytest.raises(Damaged, match=r"the header of weights\.safetensors: .* tensors, got 500,\d+"):
        checkpoint.load(folder, ["weights"])


def test_names_of_a_stranger_reach_no_terminal_as_they_are(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    config = json.loads((folder / "config.json").read_text())
    for change in ({"\x1b[2J": 1}, {"game": "tic_tac_toe\x1b[31m"}, {"game": "tic_tac_toe\x85"}):
        (folder / "config.json").write_text(json.dumps(config | change))
        promise(folder)
        with pytest.raises(Damaged) as caught:
            checkpoint.load(folder)
        assert str(caught.value).isprintable()


def test_many_repeated_keys_are_found_at_once(tmp_path: Path) -> None:
    keys = ",".join(f'"k{number}":0' for number in range(50_000))
    with pytest.raises(Damaged, match="'k49999' appears twice"):
        disk.parse_json(f'{{{keys},"k49999":1}}'.encode(), "text")


def test_a_config_this_version_does_not_know(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    config = json.loads((folder / "config.json").read_text())
    for change, kind, message in (
        ({"format": 99}, NewerFormat, "config format 99 is newer"),
        ({"format": None}, Damaged, "expected a format number, got none"),
        ({"gmae": "chess"}, Damaged, "unknown setting gmae; nearest: game"),
        ({"train": {"minutes": 10**400}}, Damaged, "config.json"),
        ({"train": []}, Damaged, "config.json"),
        ({"selfplay": {"gumbel_moves": 3}}, CheckpointError, r"step-00000001: selfplay\.gumbel_moves \(here 3\) was"),
    ):
        (folder / "config.json").write_text(json.dumps(config | change))
        promise(folder)
        with pytest.raises(kind, match=message):
            checkpoint.load(folder)


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, Any]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


TENSOR_FILES: dict[str, tuple[bytes, str]] = {
    "pickle": (pickle.dumps({"w": [1.0]}), "header|safetensors"),
    "too short": (b"1234", "got only 4 bytes"),
    "header longer than the file": (safetensors(b"{}", length=1 << 60), "a header of"),
    "header over the limit": (safetensors(b" " * ((1 << 24) + 1)), "at most 16,777,216 bytes, got"),
    "header is no JSON": (safetensors(b"{"), "not the JSON"),
    "header is a list": (safetensors([]), "expected an object"),
    "nesting": (safetensors(b"[" * 500_000), "nested too deeply"),
    "repeated name": (safetensors(b'{"w": {}, "w": {}}'), "appears twice"),
    "entry is a number": (safetensors({"w": 3}), "expected a dtype of .*, got None"),
    "dtype is a list": (safetensors(one(dtype=[]), bytes(8)), r"expected a dtype of .*, got \[\]"),
    "unknown dtype": (safetensors(one(dtype="F8_E4M3"), bytes(2)), "expected a dtype of .*, got F8_E4M3"),
    "negative extent": (safetensors(one(shape=[-2]), bytes(8)), "expected a shape of whole numbers"),
    "fractional extent": (safetensors(one(shape=[2.0]), bytes(8)), "expected a shape of whole numbers"),
    "huge extent": (safetensors(one(shape=[2**62]), bytes(8)), "expected a shape that a tensor can have"),
    "huge empty": (safetensors(one(shape=[0, 2**40, 2**40], offsets=[0, 0])),
                   "expected a shape that a tensor can have"),
    "many extents": (safetensors(one(shape=[1] * 80_000, offsets=[0, 4]), bytes(4)), "expected a shape that"),
    "shape and offsets differ": (safetensors(one(shape=[3]), bytes(8)), "not a safetensors file"),
    "offsets outside": (safetensors(one(offsets=[0, 8]), bytes(4)), "not a safetensors file"),
    "offsets reversed": (safetensors(one(offsets=[8, 0]), bytes(8)), "not a safetensors file"),
    "no offsets": (safetensors({"w": {"dtype": "F32", "shape": [2]}}, bytes(8)), "not a safetensors file"),
    "bytes after the end": (safetensors(one(), bytes(9)), "not a safetensors file"),
    "nan": (safetensors(one(), struct.pack("<2f", 1, float("nan"))), "w holds NaN"),
    "infinity": (safetensors(one(), struct.pack("<2f", 1, float("inf"))), "w holds NaN or infinity"),
    "doubles": (safetensors(one(dtype="F64", shape=[1]), bytes(8)), "expected F32 or I64"),
}


@pytest.mark.parametrize("name", TENSOR_FILES)
def test_hostile_tensor_files(tmp_path: Path, name: str) -> None:
    data, message = TENSOR_FILES[name]
    folder = save(tmp_path, 1)
    (folder / "weights.safetensors").write_bytes(data)
    promise(folder)
    with pytest.raises(Damaged, match=message) as caught:
        checkpoint.load(folder)
    assert len(str(caught.value)) < 1500


def test_sizes_are_refused_before_reading(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, kind, message in (
        ("weights.safetensors", Damaged, "expected at most 2,147,483,648 bytes"),
        ("replay.safetensors", CheckpointError, "more than half of the memory this process may use"),
        ("state.json", Damaged, "at most 16,777,216 bytes, got"),
    ):
        changed = json.loads(json.dumps(manifest))
        changed["files"][name]["bytes"] = 1 << 42
        (folder / "manifest.json").write_text(json.dumps(changed))
        shutil.copy(folder / name, tmp_path / "aside")
        os.truncate(folder / name, 1 << 42)  # Sparse: takes no room.
        with pytest.raises(kind, match=message):
            checkpoint.load(folder, None if name.startswith("replay") else ())
        shutil.copy(tmp_path / "aside", folder / name)


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        yield save(Path(scratch), 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_random_damage_is_answered(whole: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(path.name for path in whole.iterdir())))
    mends = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(whole, Path(scratch) / "step-00000001"))
        text = bytearray((folder / name).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        (folder / name).write_bytes(bytes(text))
        if mends and name != "manifest.json":
            promise(folder)
        # Damage that changes no meaning (the time of creation) may pass.
        with suppress(CheckpointError):
            assert checkpoint.load(folder).folder == folder
