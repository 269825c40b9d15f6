"""Colour, escapes and small formats of what goes to a terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from muzero.view.terminal import (
    amount,
    bar,
    control_keys_unechoed,
    counted,
    duration,
    ink,
    plain,
    printable,
    quantity,
    redraws,
    table,
)

ROOT = Path(__file__).parents[2]


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colour_only_for_willing_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not plain(Screen())
    assert ink(Screen())("x", "red") == "\x1b[31mx\x1b[0m"
    assert plain(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert ink(Screen())("x", "red") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert plain(Screen())


def test_no_colour_is_still_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR asks for no colour; a dumb terminal and a pipe can't be drawn over."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert redraws(Screen())
    assert not redraws(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not redraws(Screen())


ECHOED = """
import os, sys, termios
from muzero.view.terminal import control_keys_unechoed

with os.fdopen(os.open(sys.argv[1], os.O_RDWR), "w") as stream:  # a new session's first terminal is its own
    def echoed():
        return bool(termios.tcgetattr(stream)[3] & termios.ECHOCTL)

    said = [echoed()]
    try:
        with control_keys_unechoed(stream):
            said.append(echoed())
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        said.append(echoed())
print(said)
"""


def test_ctrl_c_is_not_echoed_into_a_display_and_then_again() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", ECHOED, os.ttyname(theirs)], capture_output=True, text=True,
                          start_new_session=True, cwd=ROOT, check=True)
    os.close(ours)
    os.close(theirs)
    assert done.stdout.strip() == "[True, False, True]"
    with control_keys_unechoed(io.StringIO()):
        """What is no terminal stays as it is."""


@pytest.mark.parametrize(("number", "text"), [
    (9.0, "9.00"), (0.0, "0.00"), (-0.25, "-0.25"), (0.012345, "0.0123"), (-2e-5, "-2e-05"), (1e6, "1000000.00")])
def test_small_amounts_keep_three_digits(number: float, text: str) -> None:
    assert amount(number, 2) == text


def test_printable_keeps_lines_and_escapes_the_rest() -> None:
    assert printable("é█ a\nb") == "é█ a\nb"
    assert printable("\x1b[31m\t\r\x85\u202e\ud800") == r"\x1b[31m\t\r\x85\u202e\ud800"


def test_one_is_no_plural() -> None:
    assert [counted(number, "core") for number in (0, 1, 2_000)] == ["0 cores", "1 core", "2,000 cores"]


def test_small_formats() -> None:
    assert table(("a", "b"), [("xyz", "1"), ("x", "22")]) == "a     b\nxyz   1\nx    22"
    assert [duration(s) for s in (0, 61, 3723)] == ["0:00", "1:01", "1:02:03"]
    assert [quantity(n) for n in (950, 12_340, 1_234_000)] == ["950", "12.3 k", "1.2 M"]
    assert [bar(share, 4) for share in (-1.0, 0.5, 2.0)] == ["░░░░", "██░░", "████"]
