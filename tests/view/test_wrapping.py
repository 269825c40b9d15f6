"""On a terminal no word is broken in the middle, and a command stays one that can be copied."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from muzero.view.wrapping import COMMAND, columns_of, fit, wrapped

ROOT = Path(__file__).parents[2]
WAIT = 300
LINES = (
    "run folder checkpoints/runs/a; the replay reserves 3 MB; Ctrl-C saves and stops",
    "the machine is busy: 3.6 processes compete for its 2 cores, so this training will be slow and learn less",
    "  no OpenSpiel game is called 'tic_tac_to'; did you mean 'tic_tac_toe'?   (a game of your own: 'module:Class')",
)
COMMANDS = (
    "saved at step 12; continue with: muzero train 'hex(board_size=5)' --out '/a folder/of mine' --steps 5000",
    "muzero evaluate checkpoints/runs/atari_pong --episodes 100 --video pong.mp4",
    '  measure it:  muzero evaluate \'a\'"\'"\'b c\' --against random',
)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("columns", [25, 40, 60, 80])
def test_lines_end_at_spaces_within_the_edge(line: str, columns: int) -> None:
    parts = wrapped(line, columns)
    assert max(map(len, parts)) <= columns
    assert " ".join(parts).split() == line.split()
    assert wrapped(line, 200) == [line]


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("columns", [40, 50])
def test_a_command_that_is_broken_is_still_one_for_a_shell(line: str, columns: int) -> None:
    parts = wrapped(line, columns)
    assert max(map(len, parts)) <= columns
    first = next(number for number, part in enumerate(parts) if part.lstrip().startswith("muzero"))
    found = COMMAND.search(line)
    assert found is not None
    echo = 'muzero() { printf "%s\\n" muzero "$@"; }\n' + "\n".join(parts[first:])
    said = subprocess.run(["sh", "-c", echo], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == shlex.split(found[0])
    assert " ".join(parts[:first]).split() == line[: found.start()].split()


def test_a_comment_after_a_command_stays_one() -> None:
    assert wrapped("  muzero train connect_four --minutes 60   # Ctrl-C saves", 40) == [
        "  muzero train connect_four --minutes 60", "    # Ctrl-C saves"]
    assert wrapped("  muzero train connect_four --minutes 60   # Ctrl-C saves", 38) == [
        "  muzero train connect_four \\", "    --minutes 60", "    # Ctrl-C saves"]
    assert wrapped("  muzero train connect_four   # Ctrl-C saves", 40) == [
        "  muzero train connect_four", "    # Ctrl-C saves"], "an example begins where the others begin"


def test_what_has_no_space_stays_and_colours_take_no_columns() -> None:
    assert wrapped("a " + "x" * 30 + " b", 20) == ["a", "  " + "x" * 30, "  b"]
    assert wrapped("\x1b[32mok\x1b[0m  four words are here", 23, 4) == ["\x1b[32mok\x1b[0m  four words are here"]
    assert wrapped("\x1b[32mok\x1b[0m  four words are here", 18, 4) == ["\x1b[32mok\x1b[0m  four words are", "    here"]


def test_only_a_terminal_has_an_edge() -> None:
    text = "word " * 100
    assert fit(text, io.StringIO()) == text
    assert columns_of(io.StringIO()) == 0


@pytest.fixture
def on_terminal() -> Callable[..., list[str]]:
    """What a command says on a terminal of so many columns, line by line."""
    def run(columns: int, *words: str) -> list[str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
        with subprocess.Popen([sys.executable, "-m", "muzero", *words], cwd=ROOT, env=environment, stdin=theirs,
                              stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            said = b""
            # Its other end is closed at last.
            with contextlib.suppress(OSError):
                while block := os.read(ours, 1 << 16):
                    said += block
            process.wait(WAIT)
        os.close(ours)
        return said.decode().splitlines()

    return run


@pytest.mark.parametrize("words", [("train", "tictactoe"), ("play", "tic_tac_to"), ("--help",)])
def test_commands_keep_within_the_edge(on_terminal: Callable[..., list[str]], words: tuple[str, ...]) -> None:
    wide, narrow = (on_terminal(columns, *words) for columns in (300, 60))
    assert max(map(len, narrow)) <= 60 < max(map(len, wide))
    typed = [word for word in " ".join(narrow).split() if word != "\\"]
    assert typed == " ".join(wide).split()
