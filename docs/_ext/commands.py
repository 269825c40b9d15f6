"""The help of a command as it is printed into a file."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence

WIDTH = 84
"""Columns: a block of the site holds as many without scrolling."""
INDENT = "    "
"""Of what goes on in the next line."""


def help_of(words: Sequence[str], until: str | None = None) -> str:
    """What `muzero WORDS --help` prints, up to the panel called `until`. Raises subprocess.CalledProcessError, and
    ValueError where there is no such panel."""
    environment = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "muzero", *words, "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = (textwrap.fill(line, WIDTH, subsequent_indent=INDENT) if len(line) > WIDTH else line
             for line in done.stdout.rstrip().splitlines())
    text = "\n".join(lines)
    if until is None:
        return text
    before, panel, _ = text.partition(f"╭─ {until} ")
    if not panel:
        raise ValueError(f"muzero {' '.join(words)} --help: expected a panel {until!r}, got none")
    return before.rstrip()
