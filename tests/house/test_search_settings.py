"""A search setting is stated in two places: a field of `SearchConfig`, and a row of the C++ table."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import get_args, get_type_hints

import pybind11
import pytest

import cpp_mcts
from muzero.config import SearchConfig
from muzero.config.kinds import PLANNERS

ROOT = Path(__file__).parents[2]
SIZES = {"trees", "actions", "simulations"}
"""Rows of the table that are no settings."""
SETTINGS = [*SearchConfig().tree_settings]
TREE_SEARCHES = {name for name, kind in PLANNERS.items() if kind.module == "muzero.search.tree_planner"}
"""Values of `algorithm` that the C++ search knows; other planners have no row."""
NATIVE = [*sorted((ROOT / "cpp_mcts").rglob("*.h")), *sorted((ROOT / "cpp_mcts").rglob("*.cpp")),
          ROOT / "cpp_mcts/_core.pyi", ROOT / "cpp_mcts/__init__.py", ROOT / "benchmarks/tree_loop.cpp"]


def test_every_field_is_a_row_and_every_row_a_field() -> None:
    rows = [*cpp_mcts.choices(), *(name for name in cpp_mcts.limits() if name not in SIZES)]
    assert sorted(rows) == sorted(SETTINGS)
    assert set(cpp_mcts.limits()) >= SIZES


@pytest.mark.parametrize("name", SETTINGS)
def test_a_row_is_of_the_kind_of_its_field(name: str) -> None:
    kind = get_type_hints(SearchConfig)[name]
    if name in cpp_mcts.limits():
        assert [type(end) for end in cpp_mcts.limits()[name]] == [kind, kind]
    else:
        values = TREE_SEARCHES if name == "algorithm" else set(get_args(kind) or (False, True))
        assert set(cpp_mcts.choices()[name]) == values


# ---- no third place ----


@pytest.mark.parametrize("name", SETTINGS)
def test_one_line_of_the_search_names_a_setting(name: str) -> None:
    """Its row. Member and use don't write the name as text, and give no value."""
    stated = re.compile(rf'"{name}"|(^|[{{,])\s*\.{name} = |\bsettings?_?\.{name} = ')
    named = [f"{path.relative_to(ROOT)}: {line.strip()}" for path in NATIVE for line in path.read_text().splitlines()
             if stated.search(line) and "least_span" not in line]
    assert len(named) == 1, named
    assert named[0].startswith("cpp_mcts/src/setting_table.h: ")


def stated(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Every class, function and dict of a file, and what it names: fields, parameters, keys."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        names: list[object] = []
        if isinstance(node, ast.ClassDef):
            names = [one.target.id for one in node.body
                     if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
        elif isinstance(node, ast.FunctionDef):
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        elif isinstance(node, ast.Dict):
            names = [one.value for one in node.keys if isinstance(one, ast.Constant)]
        texts = {name for name in names if isinstance(name, str)}
        yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", texts


def test_one_class_lists_the_settings() -> None:
    """A list of half of them would grow with each new one."""
    half = len(SETTINGS) / 2
    paths = [path for folder in ("cpp_mcts", "muzero", "selfplay", "games", "benchmarks", "tests")
             for path in (ROOT / folder).rglob("*.py*") if path.suffix in (".py", ".pyi")]
    rich = [path for path in paths if sum(name in path.read_text() for name in SETTINGS) >= half]
    lists = [place for path in rich for place, names in stated(path) if len(names & set(SETTINGS)) >= half]
    assert len(lists) == 1, lists
    assert lists[0].startswith("muzero/config/search_settings.py:")


# ---- a setting more ----

MODULE = """
#include <pybind11/pybind11.h>
#include "python/settings.h"
PYBIND11_MODULE(toy_settings, m) {
  m.def("limits", &mcts::limits);
  m.def("toy_bonus", [](const pybind11::kwargs& settings) {
    return mcts::settings_of(pybind11::int_(1), pybind11::int_(2), pybind11::int_(3), settings).toy_bonus;
  });
}
"""


@dataclass(frozen=True)
class ToyConfig(SearchConfig):
    """The field of a new setting."""

    toy_bonus: float = 0.5


def add_line(path: Path, after: str, line: str) -> None:
    """Writes a line behind the only one that contains `after`."""
    lines = path.read_text().splitlines()
    (at,) = [i for i, held in enumerate(lines) if after in held]
    path.write_text("\n".join([*lines[: at + 1], line, *lines[at + 1 :]]) + "\n")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The table and its reader with a member and a row more, compiled."""
    source = tmp_path_factory.mktemp("toy") / "src"
    shutil.copytree(ROOT / "cpp_mcts/src", source)
    add_line(source / "types.h", "double gumbel_scale;", "  double toy_bonus;")
    add_line(source / "setting_table.h", '"gumbel_scale"', '    {"toy_bonus", &Settings::toy_bonus, 0.0, 2.0},')
    (source / "toy.cpp").write_text(MODULE)
    built = source / f"toy_settings{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run(
        [os.environ.get("CXX", "g++"), "-std=c++20", "-O0", "-fPIC", "-shared", f"-I{pybind11.get_include()}",
         f"-I{sysconfig.get_path('include')}", f"-I{source}", str(source / "toy.cpp"), "-o", str(built)], check=True)
    spec = importlib.util.spec_from_file_location("toy_settings", built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_setting_is_a_field_a_row_and_its_member(toy: ModuleType) -> None:
    assert toy.limits() == {**cpp_mcts.limits(), "toy_bonus": (0.0, 2.0)}
    assert toy.toy_bonus(**ToyConfig().tree_settings) == 0.5
    assert toy.toy_bonus(**ToyConfig(toy_bonus=2.0).tree_settings) == 2.0
    with pytest.raises(ValueError, match=r"^toy_bonus: expected a number from 0\.0 to 2\.0, got 2\.5$"):
        toy.toy_bonus(**ToyConfig(toy_bonus=2.5).tree_settings)
    with pytest.raises(TypeError, match=r"^toy_bonus: expected a number from 0\.0 to 2\.0, got nothing"):
        toy.toy_bonus(**SearchConfig().tree_settings)
    with pytest.raises(TypeError, match=r"got 'toy_bonos'; nearest: toy_bonus$"):
        toy.toy_bonus(**ToyConfig().tree_settings, toy_bonos=1.0)
