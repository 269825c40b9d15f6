"""Line wrapping at spaces for a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final, TextIO

CODE: Final = re.compile(r"\x1b\[[0-9;]*m")
WORD: Final = re.compile(r"\s*\S+")
COMMAND: Final = re.compile(r"(?<!\S)muzero (?:train|play|evaluate|bench) .*?(?=\s+#|$)")
"""A command to be typed or copied."""
SHELL_WORD: Final = re.compile(r"""\s*(?:'[^']*'|"[^"]*"|[^\s'"])+""")
INDENT: Final = 2
"""Columns by which a line goes on deeper than it began."""
GOES_ON: Final = " \\"
"""Behind a line of a command that the next one goes on with, for the shell."""


def fit(text: str, stream: TextIO, indent: int | None = None) -> str:
    """`text` with lines that end at a space within the columns of `stream`, where it is a terminal.

    indent: columns before what goes on; as many as suit where None.
    """
    columns = columns_of(stream)
    lines = text.split("\n")
    return "\n".join(part for line in lines for part in wrapped(line, columns, indent)) if columns else text


def columns_of(stream: TextIO) -> int:
    """Columns of a terminal; 0 for anything else, and where they aren't known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except OSError:
        return 0


def wrapped(line: str, columns: int, indent: int | None = None) -> list[str]:
    """One line as as many as it takes. A command begins a line of its own; the shell takes its lines for one."""
    if _shown(line) <= columns:
        return [line]
    deeper = " " * (_depth(line) + INDENT if indent is None or 2 * indent > columns else indent)
    typed = COMMAND.search(line)
    if typed is None:
        return _filled(WORD.findall(line), columns, deeper)
    command = _filled([deeper + typed[0].split(" ")[0], *SHELL_WORD.findall(typed[0])[1:]], columns - len(GOES_ON),
                      deeper + " " * INDENT)
    parts = [part + GOES_ON for part in command[:-1]] + command[-1:]
    before, after = (_filled(WORD.findall(part), columns, deeper) for part in
                     (line[: typed.start()], line[typed.end() :]))
    return [*before, *parts, *(deeper + part.lstrip() for part in after)]


def _filled(words: Sequence[str], columns: int, deeper: str) -> list[str]:
    """Words, each with the space before it, as lines."""
    lines: list[str] = []
    for word in words:
        if lines and _shown(lines[-1] + word) <= columns:
            lines[-1] += word
        else:
            lines.append(deeper + word.lstrip() if lines else word)
    return lines


def _shown(text: str) -> int:
    """Columns that a text takes."""
    return len(CODE.sub("", text))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
