"""The limits of size, and the few things no file of this project does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("checkpoints", "cpp_mcts", "games", "muzero", "selfplay")
FOLDERS = (*PACKAGES, "tests", "benchmarks", "docs", ".ci", ".github")
SKIPPED = {"__pycache__", "runs"}
TEXT = {".py", ".pyi", ".h", ".cpp", ".md", ".toml", ".txt", ".sh", ".json", ".csv", ".in", ".yml", ".yaml", ".ipynb",
        ""}

FUNCTION_LINES = 60
"""Of a function's body, in tests and benchmarks too."""
FILE_LINES = 600
SHIPPED_FILE_LINES = 400
SHIPPED_FUNCTION_LINES = 45
"""With signature and docstring."""
POSITIONAL = 8
"""Parameters that may be given by place."""
LIKE_LINES = 12
"""As many lines in a row may stand in two places."""
CODE_THAT_RUNS_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS_THAT_RUN_DATA = {"torch.load", "torch.jit.load", "torch.package.PackageImporter"}
PICKLE_ALLOWED: dict[str, str] = {}
"""file -> why it may: nothing read from a disk or another machine may ever reach it."""

# Put together here, so that this file passes its own test.
FORBIDDEN = [re.compile(pattern) for pattern in (
    "/" + r"work/\w", "/" + r"tmp/\w", "/" + "opt/pypi", "/" + r"(home|root|Users)/\w", "pypi" + r"\.org",
)]


def files(*folders: str, suffixes: set[str]) -> list[Path]:
    found = [
        path for folder in folders for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes and path.is_file() and not SKIPPED & set(path.relative_to(ROOT).parts)
    ]
    return sorted(found)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


PYTHON = files(*PACKAGES, "tests", "benchmarks", "docs", suffixes={".py"})
SHIPPED = files(*PACKAGES, suffixes={".py"})
SOURCES = [*PYTHON, *files("cpp_mcts", suffixes={".h", ".cpp"})]
SHIPPED_SOURCES = [*SHIPPED, *files("cpp_mcts", suffixes={".h", ".cpp", ".pyi"})]
ALL_TEXT = [
    *files(*FOLDERS, suffixes=TEXT),
    *(path for path in sorted(ROOT.glob("*")) if path.is_file() and path.suffix in TEXT),
]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if not body:
        return 0
    end = body[-1].end_lineno
    assert end is not None
    return end - body[0].lineno + 1


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    long = {
        f"{node.name} ({body_lines(node)} lines)" for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and body_lines(node) > FUNCTION_LINES
    }
    assert not long, f"at most {FUNCTION_LINES} lines: split by stage"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES, "split by idea"


@pytest.mark.parametrize("path", SHIPPED_SOURCES, ids=name_of)
def test_shipped_files_are_shorter(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= SHIPPED_FILE_LINES, "split by idea"


def too_much(path: Path) -> Iterator[str]:
    """Functions that are too long, or take too many parameters by place."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        assert node.end_lineno is not None
        if (lines := node.end_lineno - node.lineno + 1) > SHIPPED_FUNCTION_LINES:
            yield f"{node.name} has {lines} lines"
        given = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        if (count := len(given) - (given[:1] in (["self"], ["cls"]))) > POSITIONAL:
            yield f"{node.name} takes {count} parameters by place"


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_shipped_functions_are_short_and_take_little(path: Path) -> None:
    assert not list(too_much(path))


def runs_of_lines(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each LIKE_LINES + 1 lines in a row that say something, with the number of the first."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    said = [(number, line) for number, line in enumerate(lines, start=1)
            if len(line) > 2 and not line.startswith(("#", "//", "import", "from"))]
    for start in range(len(said) - LIKE_LINES):
        yield said[start][0], tuple(line for _, line in said[start : start + LIKE_LINES + 1])


def test_nothing_stands_in_two_places() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for path in SHIPPED_SOURCES:
        for number, lines in runs_of_lines(path):
            here = f"{name_of(path)}:{number}"
            assert lines not in seen, f"{here} and {seen[lines]} are alike: let one serve both"
            seen[lines] = here


def swallowed(path: Path) -> Iterator[int]:
    """Lines of handlers that catch everything: bare, or any Exception with nothing done about it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else None
            idle = all(isinstance(part, (ast.Pass, ast.Continue)) for part in node.body)
            if caught is None or (idle and caught in ("Exception", "BaseException")):
                yield node.lineno
        elif (
            isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
            and {"Exception", "BaseException"} & {ast.unparse(argument) for argument in node.args}
        ):
            yield node.lineno


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_failure_is_swallowed(path: Path) -> None:
    assert not list(swallowed(path))


def text_alone(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def words_of_nothing(path: Path) -> Iterator[int]:
    """Lines of strings right behind another one: the words of one name that stand under the next."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield from (after.lineno for one, after in pairwise(node.body) if text_alone(one) and text_alone(after))


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_words_stand_under_another_name(path: Path) -> None:
    assert not list(words_of_nothing(path))


def runs_data(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that could run code hidden in data."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, item.name) for item in node.names if item.name in CODE_THAT_RUNS_DATA)
        elif isinstance(node, ast.ImportFrom) and node.module in CODE_THAT_RUNS_DATA:
            yield node.lineno, str(node.module)
        elif isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            if call in CALLS_THAT_RUN_DATA or (isinstance(node.func, ast.Name) and call in ("eval", "exec")):
                yield node.lineno, call
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                    yield node.lineno, f"{call}(allow_pickle)"


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_no_data_is_run(path: Path) -> None:
    found = list(runs_data(path))
    assert not found or name_of(path) in PICKLE_ALLOWED


@pytest.mark.parametrize("path", ALL_TEXT, ids=name_of)
def test_no_path_of_one_machine(path: Path) -> None:
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        for pattern in FORBIDDEN:
            assert not pattern.search(line), f"line {number} names a place on one machine: {line.strip()}"


def test_the_readme_has_no_line_over_240_characters() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [number for number, line in enumerate(lines, start=1) if len(line) > 240] == []


def test_the_rules_can_fail(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        "import pickle\nimport contextlib\n"
        "try:\n    pass\nexcept:\n    raise\n"
        "try:\n    pass\nexcept Exception:\n    pass\n"
        "with contextlib.suppress(Exception):\n    np.load(f, allow_pickle=True)\n"
        "torch.load(f)\neval(f)\nmodel.eval()\n"
        "def long():\n    'doc'\n" + "    x = 1\n" * 61
    )
    assert sorted(swallowed(path)) == [5, 9, 11]
    assert sorted(runs_data(path)) == [
        (1, "pickle"), (12, "np.load(allow_pickle)"), (13, "torch.load"), (14, "eval"),
    ]
    (tmp_path / "moved.py").write_text("ONE = 1\nTWO = 2\n'of two'\n'of one'\n")
    assert list(words_of_nothing(tmp_path / "moved.py")) == [4]
    (tmp_path / "much.py").write_text(f"def many({', '.join('abcdefghi')}):\n" + "    x = 1\n" * 45)
    assert list(too_much(tmp_path / "much.py")) == ["many has 46 lines", "many takes 9 parameters by place"]
    assert len(list(runs_of_lines(tmp_path / "much.py"))) == 46 - LIKE_LINES
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert [body_lines(node) for node in functions] == [61]
    assert any(pattern.search("see /" + "work/main") for pattern in FORBIDDEN)
