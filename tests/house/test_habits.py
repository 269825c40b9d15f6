"""Files for contributors name what is there: versions, commands, rooms."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def package(requirement: str) -> str:
    """`Import_Linter>=2.4` -> `import-linter`."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return found[0].lower().replace("_", "-")


def test_every_package_is_pinned_to_the_version_that_was_tried() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    needed = {package(one) for group in (PROJECT["project"]["dependencies"], *extras) for one in group}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {package(line) for line in lines if "==" in line}
    # Ours, and what pip brings.
    assert needed - pinned - {"muzero-engine", "setuptools"} == set()


def test_hints_name_extras_that_pip_finds() -> None:
    texts = {path: path.read_text() for folder in (".", "docs", "benchmarks", "games", "selfplay", "muzero")
             for path in (ROOT.glob("*.md") if folder == "." else (ROOT / folder).rglob("*"))
             if path.suffix in (".py", ".md", ".ipynb")}
    named = [extra for text in texts.values()
             for group in re.findall(r"pip install '\.\[([\w,]+)\]'", text) + re.findall(r'installing\("(\w+)"\)', text)
             for extra in group.split(",")]
    assert {"atari", "gym", "plots", "video"} <= set(named) <= set(PROJECT["project"]["optional-dependencies"])
    by_name = [str(path.relative_to(ROOT)) for path, text in texts.items() if re.search(r"muzero[-_]engine\[", text)]
    assert by_name == [], "no package index has the engine: pip install '.[EXTRA]' in the checkout"


def test_workflows_and_hooks_call_what_is_there() -> None:
    workflows = "".join(path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml")))
    commands = re.findall(r"run: (.+)", workflows)
    assert ".ci/run" in commands
    assert {command.split()[1] for command in commands if command.startswith("make ")} <= TARGETS
    assert "make --no-print-directory check" in (ROOT / ".ci/run").read_text()
    tools = set(re.findall(r"\.venv/bin/([\w-]+)", (ROOT / ".pre-commit-config.yaml").read_text()))
    linted = set(re.findall(r"\$\(BIN\)/([\w-]+)", (ROOT / "Makefile").read_text()))
    assert tools
    assert tools <= linted


def test_contributing_draws_the_floors_in_the_order_that_is_linted() -> None:
    layers = next(contract["layers"] for contract in PROJECT["tool"]["importlinter"]["contracts"]
                  if contract["type"] == "layers")
    floors = {name.removeprefix("muzero."): height for height, layer in enumerate(reversed(layers))
              for name in layer.split(" | ")}
    text = (ROOT / "CONTRIBUTING.md").read_text()
    drawn = re.findall(r"^    (.+<-.+)$", text, re.MULTILINE)
    groups = [group.split(", ") for group in " ".join(drawn).replace("<-  <-", "<-").split("<-")]
    heights = [[floors[name.strip()] for name in group if name.strip()] for group in groups]
    assert len(heights) > 8
    for lower, upper in pairwise(heights):
        assert max(lower) < min(upper)
