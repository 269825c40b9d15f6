"""Readers of a command's output who leave, as `head` does: what was asked for as files is written all the same."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from muzero import cli
from muzero.commands.bench.found import Found, show
from muzero.errors import OK
from muzero.view.console import reader_may_leave, tell


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Output goes to a pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream, contextlib.redirect_stdout(stream):
        yield


@pytest.mark.parametrize("words", [
    ["inspect", "tic_tac_toe", "--model", "--positions", "30", "--depth", "1"],
    ["inspect", "tic_tac_toe", "--moves", "b2", "--simulations", "4"],
    ["evaluate", "match", "tic_tac_toe", "--against", "random", "--games", "2", "--simulations", "2"],
])
def test_results_are_written_though_nobody_reads_the_table(words: list[str], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    with nobody():
        assert cli.main([*words, "--json", str(file)]) == OK
    assert file.read_text().endswith("}\n")


def test_a_benchmark_is_written_too(tmp_path: Path) -> None:
    with nobody():
        show("games", [], Found([], "a table", ("a conclusion",), {}), str(tmp_path / "found.json"))
    assert (tmp_path / "found.json").exists()


def test_other_broken_pipes_are_errors() -> None:
    with pytest.raises(BrokenPipeError), reader_may_leave():
        raise BrokenPipeError(32, "Broken pipe")


def test_what_follows_is_discarded() -> None:
    with nobody():
        with reader_may_leave():
            tell("a table")
        tell("its legend")
