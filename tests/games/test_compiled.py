"""Compiled loops: kept where a folder can be written, made anew where none can, never among installed packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from games import compiled
from muzero.commands import doctor

ROOT = Path(__file__).parents[2]
DRAW = (
    "import numpy as np\n"
    "from games.compiled import FOLDER\n"
    "from muzero.replay.sum_tree import SumTree, _update\n"
    "tree = SumTree(4)\n"
    "tree.update(np.arange(4), np.ones(4))\n"
    "print(FOLDER, tree.total, sum(_update.stats.cache_hits.values()))\n"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages as pip lays them down: no checkout around them. Nothing can be written beside their modules."""
    site = tmp_path_factory.mktemp("site")
    for package in ("games", "muzero"):
        shutil.copytree(ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
        (site / package / "__pycache__").touch()
    return site


def draw(site: Path, cwd: Path, **variables: str) -> list[str]:
    """(folder, total, loops found on disk) of a process that draws by compiled loops."""
    kept = {name: value for name, value in os.environ.items() if name not in (compiled.VARIABLE, "XDG_CACHE_HOME")}
    done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, cwd=cwd, check=False,
                          env={**kept, "PYTHONPATH": str(site), **variables})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_without_a_writable_folder_loops_are_compiled_anew(installed: Path, tmp_path: Path) -> None:
    assert draw(installed, tmp_path, HOME="/dev/null") == ["None", "4.0", "0"]
    assert list(tmp_path.iterdir()) == []


def test_loops_of_an_installation_lie_in_the_user_s_folder_of_caches(installed: Path, tmp_path: Path) -> None:
    """Where uninstalling leaves nothing among the packages; damaged files are written anew."""
    folder = tmp_path / ".cache" / "muzero-engine"
    assert draw(installed, tmp_path, HOME=str(tmp_path)) == [str(folder), "4.0", "0"]
    assert draw(installed, tmp_path, HOME=str(tmp_path)) == [str(folder), "4.0", "1"]
    indices = list(folder.rglob("*.nbi"))
    assert indices
    for index in indices:
        index.write_bytes(index.read_bytes()[:20])
    assert draw(installed, tmp_path, HOME=str(tmp_path)) == [str(folder), "4.0", "0"]
    assert draw(installed, tmp_path, HOME=str(tmp_path)) == [str(folder), "4.0", "1"]
    assert not list(installed.rglob("*.nb?"))


@pytest.mark.parametrize("fault", ["save", "index"])
def test_a_disk_that_takes_nothing_stops_no_loop(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def unreadable(*_: object) -> None:
        raise EOFError("Ran out of input")

    monkeypatch.setattr(compiled, "FOLDER", tmp_path)

    @compiled.compiled
    def twice(number: int) -> int:
        return 2 * number

    cache_file = twice._cache._cache_file  # type: ignore[attr-defined]
    monkeypatch.setattr(cache_file, "_save_index", full)
    if fault == "index":
        monkeypatch.setattr(cache_file, "_load_index", unreadable)
    assert twice(21) == 42


def test_the_environment_comes_first_and_a_home_that_is_nowhere_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "ROOT", tmp_path)
    monkeypatch.setenv(compiled.VARIABLE, "mine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert compiled.places() == [Path("mine"), tmp_path / "xdg" / "muzero-engine"]
    (tmp_path / "pyproject.toml").touch()
    assert compiled.places()[1] == tmp_path
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.delenv(compiled.VARIABLE)
    assert compiled.places() == [tmp_path]


def test_doctor_tells_where_loops_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "FOLDER", tmp_path)
    assert doctor.loops() == f"cached in {tmp_path}"
    monkeypatch.setenv(compiled.VARIABLE, "/dev/null/x")
    assert doctor.loops() == f"cached in {tmp_path}; {compiled.VARIABLE} /dev/null/x can't be written"
    monkeypatch.setattr(compiled, "FOLDER", None)
    assert doctor.loops() == ("compiled again at each start, which takes some seconds: no writable cache folder "
                              "(/dev/null/x can't be "
                              f"written); set {compiled.VARIABLE}=FOLDER")
