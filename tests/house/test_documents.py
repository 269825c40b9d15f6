"""README, docs and the pages for contributors: what they show runs, or says what it costs; what they name is there.

A command of a shell block whose comment names a time (`# an hour`, on the line above) is not run, every other one is,
as it stands. So is every Python block, the blocks of a page one after the other.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _ext import notebook, settings, tables
from _ext.docstrings import restructured
from _ext.layers import layers
from docutils import nodes

from muzero import cli
from muzero.config import Config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
"""Scripts that have a test of their own."""
HOUSE = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")]
PAGES = [*HOUSE, *(page for page in sorted(DOCS.rglob("*.md")) if EXAMPLES not in page.parents)]
NOTES = [page for page in PAGES if page.parent.name == "lab"]
"""What was tried once: the options and files of then may have gone."""
RECORDS = ("docs/lab/",)
"""Its commands are those of the commit that was measured: old spellings, which go on working."""
EVERY = [*PAGES, ROOT / "CHANGELOG.md", EXAMPLES / "README.md", *sorted((ROOT / "checkpoints").glob("*/README.md"))]
"""All Markdown."""
TODAY = [page for page in PAGES if page not in NOTES]

COST = re.compile(r"\b(seconds?|minutes?|hours?|days?)\b")
COMMAND = re.compile(r"`(muzero [a-z][^`]*)`")
"""One within a line."""
FOLDERS = "muzero|games|selfplay|cpp_mcts|tests|benchmarks|docs|checkpoints"
PLACE = re.compile(rf"\b(?:{FOLDERS})/[\w/.-]*\.(?:py|h|md|csv|svg)\b")
BARE = re.compile(r"`(\w+\.(?:py|h|cpp))`")
NAMES = {path.name for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*.*")} | {
    path.name for path in ROOT.iterdir()}
SUPPOSED = {"FILE.py"}
"""A reader's own."""
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")
BROKEN = re.compile(r"\*\*\*\S| (?! )\S")
LANGUAGES = {"sh", "python", "text"}
PROSE, TABLE, README_LINES, README_RESULTS = 120, 240, 130, 12
HELPS = {
    "train": [["train"]], "play": [["play"]], "inspect": [["inspect"], ["inspect", "--model"]], "games": [["games"]],
    "doctor": [["doctor"]],
    "evaluate": [["evaluate", mode] for mode in ("match", "tournament", "positions", "episodes", "suite", "video")],
    "bench": [["bench"], *(["bench", kind] for kind in ("search", "selfplay", "learn", "games"))],
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Shown:
    """A line of a shell block."""

    place: str
    words: tuple[str, ...]
    comment: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    language, start, held = "", 0, list[str]()
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if start and line.strip() == "```":
            yield Block(page, start, language, textwrap.dedent("\n".join(held)))
            start, held = 0, []
        elif start:
            held.append(line)
        elif line.lstrip().startswith("```"):
            language, start = line.strip().removeprefix("```"), number


BLOCKS = [block for page in PAGES for block in blocks(page)]


def lines(block: Block) -> Iterator[Shown]:
    """The commands of a shell block, each with the comment above it, which holds up to an empty line or the next one.
    One that goes on behind a backslash counts as one line."""
    above = ""
    for offset, line in enumerate(block.text.replace("\\\n", " ").splitlines(), start=1):
        words = shlex.split(line, comments=True)
        if words:
            yield Shown(f"{block.page.relative_to(ROOT)}:{block.line + offset}", tuple(words), above)
        else:
            above = line


SHOWN = [shown for block in BLOCKS if block.language == "sh" for shown in lines(block)]
CHEAP = list({shown.words: shown for shown in SHOWN if not COST.search(shown.comment)}.values())
"""Each once."""


def test_there_is_something_to_look_at() -> None:
    assert len(PAGES) > 25
    assert len(SHOWN) > 40
    assert len(CHEAP) >= 4


def test_every_block_says_what_it_is() -> None:
    named = [block for block in BLOCKS if block.language not in LANGUAGES and not block.language.startswith("{")]
    assert [str(block) for block in named] == []


def test_comments_stand_above_their_commands() -> None:
    """On a narrow screen a comment behind a command hides where the command ends."""
    behind = [f"{block}: {line}" for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()
              if " #" in line and not line.lstrip().startswith("#")]
    assert behind == []


@pytest.mark.parametrize("shown", CHEAP, ids=lambda shown: shown.place)
def test_a_command_without_a_cost_runs(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown.words[0] == "muzero", "only the engine's own commands are run: say what this one costs (# a minute)"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli.main(shown.words[1:]) == 0, capsys.readouterr().err


PYTHON = {page: [block for block in BLOCKS if block.page == page and block.language == "python"] for page in PAGES}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if PYTHON[page]], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in PYTHON[page]:
        exec(compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True), names)


@functools.cache
def options(command: str) -> frozenset[str]:
    """The options that a command has, by its own help."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        for words in HELPS[command]:
            assert cli.main([*words, "--help"]) == 0
    return frozenset(re.findall(r"--[a-z][\w.-]*", text.getvalue()))


def commands_of_today() -> Iterator[tuple[str, list[str]]]:
    """Every command of the engine that a page shows, in a block or in a line, with its place."""
    for shown in SHOWN:
        if shown.words[0] == "muzero" and not shown.place.startswith(RECORDS):
            yield shown.place, list(shown.words[1:])
    for page in TODAY:
        for text in COMMAND.findall(" ".join(page.read_text().split())):
            yield str(page.relative_to(ROOT)), text.split()[1:]


def test_every_option_shown_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    wrong = []
    for place, (command, *words) in commands_of_today():
        if command not in HELPS:
            wrong += [f"{place}: no command {command}"] * (command not in ("COMMAND", "bench", "--help"))
            continue
        for word in words:
            option = word.partition("=")[0]
            if option.startswith("--") and option not in options(command):
                wrong.append(f"{place}: muzero {command} has no {option}")
    assert wrong == []


def test_every_script_and_target_shown_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        missing = {script for script in re.findall(r"python ((?:benchmarks|docs)/\w+\.py)", text)
                   if not (ROOT / script).is_file()}
        assert missing == set(), page
        assert set(re.findall(r"`make ([a-z]+)", text)) <= targets, page


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_is_there(page: Path) -> None:
    text = "\n".join(line for line in page.read_text().splitlines() if "](" not in line)
    assert {place for place in PLACE.findall(text) if not (ROOT / place).is_file() and "runs/" not in place} == set()


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_without_its_folder_is_somewhere(page: Path) -> None:
    assert set(BARE.findall(page.read_text())) - NAMES - SUPPOSED == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert {link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_fit_a_screen(page: Path) -> None:
    fenced, long = False, []
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fenced ^= line.lstrip().startswith("```")
        most = TABLE if fenced or line.startswith("|") else PROSE
        if len(line) > most:
            long.append(f"line {number}: {len(line)} characters, at most {most}")
    assert long == []


def prose(page: Path) -> list[tuple[int, str]]:
    """The lines of a page outside its fenced blocks, with their numbers."""
    kept, fenced = [], False
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        opens = line.lstrip().startswith("```")
        if not (fenced or opens):
            kept.append((number, line))
        fenced ^= opens
    return kept


def uneven(rows: list[tuple[int, str]]) -> list[str]:
    """Rows of tables that have not as many cells as the head of their table. A bar parts cells in `code` too."""
    wrong, wanted = [], 0
    for number, line in rows:
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        wanted = (wanted or cells) if line.startswith("|") else 0
        if wanted and cells != wanted:
            wrong.append(f"line {number}: {cells} cells, the head has {wanted}")
    return wrong


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_row_of_a_table_has_the_cells_of_its_head(page: Path) -> None:
    assert uneven(prose(page)) == []


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(ROOT)))
def test_lists_and_bold_words_are_whole(page: Path) -> None:
    broken = [f"line {number}: {line}" for number, line in prose(page) if BROKEN.match(line)]
    assert broken == [], "a list item begins a line, its next lines are indented by two; ** opens bold words"


def test_the_readme_fits_two_screens() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= README_LINES
    _, _, rest = text.partition("<!-- table: summary -->")
    rows = [line for line in rest.partition("<!-- end -->")[0].splitlines() if line.startswith("|")]
    assert 3 < len(rows) <= 2 + README_RESULTS


def test_results_are_what_the_records_say() -> None:
    done = subprocess.run([sys.executable, DOCS / "write_results.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("section", ["model", "model.value", "model.ensemble", "search", "play", "alone", "selfplay",
                                     "replay", "held_out", "learner", "train"])
def test_every_setting_is_in_the_reference(section: str) -> None:
    value: object = Config()
    for name in section.split("."):
        value = getattr(value, name)
    text = settings.markdown(section)
    for name, default in vars(value).items():
        if not hasattr(default, "__dataclass_fields__"):
            entry = text.partition(f"```{{setting}} {section}.{name}\n")[2].partition("\n```")[0]
            assert re.search(r"Default `[^`]+`; (one of|on or off|text|from|above|a number)", entry), name


def test_every_example_is_on_the_site() -> None:
    page = (DOCS / "guides/examples.md").read_text()
    assert set(re.findall(r"^```\{literalinclude\} \.\./examples/(\w+\.py)$", page, re.MULTILINE)) == {
        path.name for path in EXAMPLES.glob("*.py")}
    assert {Path(place).name for place in notebook.PLACE.findall(page)} == {
        path.name for path in EXAMPLES.glob("*.ipynb")}


def test_a_notebook_is_shown_with_its_code_and_its_headings_below_the_page() -> None:
    cells = [{"cell_type": "markdown", "source": ["# A\n", "text\n", "## B"]},
             {"cell_type": "code", "source": ["x = 1"]}]
    assert notebook.markdown({"cells": cells}) == "## A\ntext\n### B\n\n```python\nx = 1\n```"


def drawn(*columns: str) -> nodes.table:
    """A table of one row."""
    row = nodes.row("", *(nodes.entry("", nodes.paragraph(text=text)) for text in columns))
    return nodes.table("", nodes.tgroup("", nodes.tbody("", row), cols=len(columns)))


def test_columns_of_words_keep_a_width_and_tables_of_many_columns_are_wide() -> None:
    narrow, wide = drawn("a", "b" * 15, "c" * 20), drawn("d" * 61, *"abcdefgh")
    for shown in (narrow, wide):
        tables.mark(shown)
    assert [entry["classes"] for entry in narrow.findall(nodes.entry)] == [[], ["phrase"], ["sentence"]]
    assert next(wide.findall(nodes.entry))["classes"] == ["prose"]
    assert [narrow["classes"], wide["classes"]] == [[], ["wide"]]


def test_the_site_names_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    said = runpy.run_path(str(DOCS / "conf.py"))["project_copyright"]
    assert re.fullmatch(r"\d{4} \S.+", said)
    assert f"Copyright (c) {said}\n" in (ROOT / "LICENSE").read_text()


RELIABILITY = [line.rstrip("| ").rpartition("|")[2].strip() for line in
               (DOCS / "reference/reliability.md").read_text().splitlines() if ".py`" in line and line.startswith("|")]
"""The tests that each kind of fault names: `test_x.py`: `..words..`."""
NAMED = re.compile(r"`(?P<file>(?:[\w/]+/)?\w+\.py)`|`(?P<test>[\w.]+)`")


def missing(cell: str) -> Iterator[str]:
    """Files and tests named in a cell that aren't there; `..` stands for any part of a name."""
    text = ""
    for found in NAMED.finditer(cell):
        if name := found["file"]:
            base = Path(name).name
            files = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob(base)
                     if str(path.relative_to(ROOT)).endswith(name)]
            text = "".join(path.read_text() for path in files)
            if not files:
                yield name
        elif not re.search("def (test_)?" + found["test"].replace("..", r"\w*") + r"\(", text):
            yield found["test"]


@pytest.mark.parametrize("cell", RELIABILITY)
def test_each_kind_of_fault_names_a_test(cell: str) -> None:
    assert list(missing(cell)) == []


def test_the_rules_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\n# an hour\nmuzero train X \\\n  --out Y\n\nmuzero games | head\n```\n"
                    "```python\nassert False\n```\n```\n?\n```\n")
    found = list(blocks(page))
    assert [block.language for block in found] == ["sh", "python", ""]
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    shown = list(lines(found[0]))
    assert [bool(COST.search(line.comment)) for line in shown] == [True, False]
    assert shown[0].words == ("muzero", "train", "X", "--out", "Y")
    assert PLACE.findall("see muzero/nothing.py, `docs/lab/x.md`") == ["muzero/nothing.py", "docs/lab/x.md"]
    assert list(missing("`test_nothing.py`: `..at_all`")) == ["test_nothing.py", "..at_all"]
    assert uneven([(1, "| a | b |"), (2, "|---|---|"), (3, "| `x` | 1 \\| 2 |"), (4, "| c | d | | e | f |")]) == [
        "line 4: 5 cells, the head has 2"]
    assert [bool(BROKEN.match(line)) for line in ("***To:**", " - a", " b", "**To:**", "- a", "  b", "")] == [
        True, True, True, False, False, False, False]
    assert LINK.findall("[a](b/c.md#d) [e](https://f) [g](#h)") == ["b/c.md"]


def test_docstrings_become_what_the_site_reads() -> None:
    text = "Values *O of `x[*L]` and |v|, `split\nhere` too:\n\n    agent = load(`no code`)\n\nGoes on."
    assert restructured(text.splitlines()) == [
        "Values \\*O of ``x[*L]`` and \\|v\\|, ``split here`` too:", "", "", "::", "",
        "    agent = load(`no code`)", "", "", "Goes on."]


def test_the_floors_are_those_of_the_linter() -> None:
    floors = layers().splitlines()
    assert floors.index("muzero.commands") < floors.index("selfplay") < floors.index("games")
