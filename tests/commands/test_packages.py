"""A user's own folders called like the engine's packages; what `import muzero` offers; what is installed."""

from __future__ import annotations

import os
import pydoc
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import setuptools

import checkpoints
import muzero
from muzero import packages
from muzero.packages import Shadowed
from muzero.view.console import USAGE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder in which all the engine's names but its own are taken, and one game that imports nothing of it."""
    for name in ("games", "selfplay", "checkpoints", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise AssertionError('theirs')\n")
    source = (ROOT / "games/examples/subtraction.py").read_text()
    (tmp_path / "games" / "pile.py").write_text(source)
    return tmp_path


def python(*words: str, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=cwd, check=False, input="",
                          env={**os.environ, "PYTHONPATH": path})


SCRIPT = "import sys; from muzero.cli import main; sys.exit(main())"
"""What the script `muzero` does, which doesn't look in the current folder."""
SPAWN = (
    "import multiprocessing\nfrom muzero import packages\npackages.put_first()\n"
    "import games, selfplay.strength.statistics\n"
    "child = multiprocessing.get_context('spawn').Process(target=games.spec, args=('tic_tac_toe',))\n"
    "child.start()\nchild.join()\nprint(child.exitcode)\n"
)


@pytest.mark.parametrize("start", ["-m", "path"])
def test_folders_called_like_ours_hide_nothing_from_a_command(start: str, theirs: Path) -> None:
    """In the current folder of `python -m muzero`, or on PYTHONPATH before the engine."""
    begin, path = (["-m", "muzero"], str(ROOT)) if start == "-m" else (["-c", SCRIPT], f"{theirs}{os.pathsep}{ROOT}")
    done = python(*begin, "evaluate", "games/pile.py:Subtraction", "--player", "randon", cwd=theirs, path=path)
    assert (done.returncode, done.stderr.count("\n")) == (USAGE, 1), done.stderr
    assert "did you mean 'random'?" in done.stderr


def test_self_play_processes_find_our_packages_too(theirs: Path) -> None:
    done = python("-c", SPAWN, cwd=theirs, path=f"{theirs}{os.pathsep}{ROOT}")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_in_a_program_of_the_user_s_what_hides_is_told(theirs: Path) -> None:
    code = "import muzero; muzero.load_agent('tic_tac_toe')"
    done = python("-c", code, cwd=theirs, path=f"{theirs}{os.pathsep}{ROOT}")
    assert f"package 'games': expected muzero's own ({ROOT / 'games'}), but Python finds" in done.stderr
    assert f"{theirs / 'games' / '__init__.py'} first: rename that one, or put {ROOT} before" in done.stderr


def test_places_are_put_behind_ours_only_if_they_hide_one(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = theirs / "plain"
    (plain / "games").mkdir(parents=True)
    later = str(theirs / "later")
    monkeypatch.setattr(sys, "path", [str(plain), str(theirs), "lib", str(ROOT), str(theirs), later])
    packages.put_first()
    assert sys.path == [str(plain), "lib", str(ROOT), str(theirs), str(theirs), later]
    monkeypatch.setattr(sys, "path", before := [str(plain), "lib", str(ROOT), str(theirs)])
    packages.put_first()
    assert sys.path == before
    monkeypatch.setattr(sys, "path", [str(theirs), "lib"])
    packages.put_first()
    assert sys.path == ["lib", str(ROOT), str(theirs)], "found by a hook of an editable installation"


def test_another_package_in_the_place_of_ours_is_refused(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages.check()
    monkeypatch.delitem(sys.modules, "selfplay", raising=False)
    monkeypatch.syspath_prepend(theirs)
    with pytest.raises(Shadowed, match=r"package '(games|selfplay)': expected muzero's own"):
        packages.check()


def test_public_names_are_listed_before_they_are_loaded() -> None:
    code = ("import sys, muzero; print(set(muzero.__all__) <= set(dir(muzero)), 'torch' in sys.modules)\n"
            "from muzero import *; print(Agent.__name__, load_bot.__name__, load_agent.__name__)")
    done = python("-c", code, cwd=ROOT, path=str(ROOT))
    assert done.stdout.split() == ["True", "False", "Agent", "load_bot", "load"]
    told = pydoc.plain(pydoc.render_doc(muzero))
    assert all(name in told for name in muzero.__all__)
    assert "load_bot(path_or_game: 'str'" in told


def test_only_the_engine_s_packages_are_installed() -> None:
    """No `tests` or `benchmarks`, and no run of the checkout."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = setuptools.find_packages(str(ROOT), include=settings["packages"]["find"]["include"])
    assert {name.partition(".")[0] for name in found} == set(packages.NAMES)
    assert not settings["include-package-data"]
    kinds = [f"checkpoints/{pattern}" for pattern in settings["package-data"]["checkpoints"]]
    shipped = {path.relative_to(ROOT).parts[1] for kind in kinds for path in ROOT.glob(kind)}
    assert shipped == set(checkpoints.shipped())
