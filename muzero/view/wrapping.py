"""Line wrapping at spaces for a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final, TextIO

CODE: Final = re.compile(r"\x1b\[[0-9;]*m")
WORD: Final = re.compile(r"\s*\S+")
COMMAND: Final = re.compile(r"(?<!\S)muzero (?:train|play|evaluate|inspect|bench) .*?(?=\s+#|$)")
"""A command to type or copy."""
SHELL_WORD: Final = re.compile(r"""\s*(?:'[^']*'|"[^"]*"|[^\s'"])+""")
INDENT: Final = 2
"""Extra indentation of continuation lines, in columns."""
GOES_ON: Final = " \\"
"""Ends a line of a command that continues on the next one, for the shell."""


def fit(text: str, stream: TextIO, indent: int | None = None) -> str:
    """`text` wrapped at spaces to the columns of `stream`, if it is a terminal.

    indent: columns before continuation lines; None: chosen to suit.
    """
    columns = columns_of(stream)
    lines = text.split("\n")
    return "\n".join(part for line in lines for part in wrapped(line, columns, indent)) if columns else text


def columns_of(stream: TextIO) -> int:
    """Columns of a terminal; 0 for anything else, or if unknown."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except OSError:
        return 0


def wrapped(line: str, columns: int, indent: int | None = None) -> list[str]:
    """One line, wrapped into several. A command starts on its own line; a shell joins its lines."""
    if shown(line) <= columns:
        return [line]
    deeper = " " * (_depth(line) + INDENT if indent is None or 2 * indent > columns else indent)
    typed = COMMAND.search(line)
    if typed is None:
        return _filled(WORD.findall(line), columns, deeper)
    # A line that begins with its command, such as an example, keeps its own indentation.
    start = line[: typed.start()] if not line[: typed.start()].strip() else deeper
    parts = _broken(start, typed[0], columns)
    before, after = (_filled(WORD.findall(part), columns, deeper) for part in
                     (line[: typed.start()], line[typed.end() :]))
    return [*before, *parts, *(deeper + part.lstrip() for part in after)]


def _broken(start: str, command: str, columns: int) -> list[str]:
    """A command as lines that a shell joins."""
    if shown(start + command) <= columns:
        return [start + command]
    first, *others = SHELL_WORD.findall(command)
    parts = _filled([start + first, *others], columns - len(GOES_ON), start + " " * INDENT)
    return [part + GOES_ON for part in parts[:-1]] + parts[-1:]


def _filled(words: Sequence[str], columns: int, deeper: str) -> list[str]:
    """Words, each with its preceding space, as lines."""
    lines: list[str] = []
    for word in words:
        if lines and shown(lines[-1] + word) <= columns:
            lines[-1] += word
        else:
            lines.append(deeper + word.lstrip() if lines else word)
    return lines


def plain(text: str) -> str:
    """A text without colours."""
    return CODE.sub("", text)


def shown(text: str) -> int:
    """Width of a text in columns."""
    return len(plain(text))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
