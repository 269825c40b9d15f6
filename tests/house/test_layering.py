"""One direction of imports: the contracts of pyproject.toml, and what they can't say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_rooms_import_only_what_stands_below_them() -> None:
    """As `make lint` does; the output names each import that goes the wrong way."""
    linter = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 broken" in done.stdout


def imported(path: Path) -> set[str]:
    """Modules that a file imports from, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_only_a_run_knows_learner_and_source_of_games() -> None:
    both = {
        str(path.relative_to(ROOT)) for path in (ROOT / "muzero").rglob("*.py")
        if {"muzero.learning.learner", "muzero.training.source"} <= imported(path)
    }
    assert both == {"muzero/training/state.py", "muzero/training/progress.py"}


def test_the_training_loop_tells_no_source_from_another() -> None:
    names = {node.id for node in ast.walk(ast.parse((ROOT / "muzero/training/loop.py").read_text()))
             if isinstance(node, ast.Name)}
    assert not names & {"isinstance", "InProcess", "Processes"}


def test_only_the_bindings_know_python() -> None:
    sources = [path for path in (ROOT / "cpp_mcts/src").rglob("*") if path.suffix in (".h", ".cpp")]
    assert sources
    for path in sources:
        includes = re.findall(r"^\s*#\s*include\s*[<\"]([^>\"]+)", path.read_text(), re.MULTILINE)
        if path.parent.name != "python":
            foreign = [name for name in includes if name.startswith("pybind11") or name == "Python.h"]
            assert not foreign, f"{path.relative_to(ROOT)} includes {foreign}"
