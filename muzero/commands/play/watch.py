"""`muzero play RUN` for games of pixels: watch the agent, step by step or continuously."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from muzero.play.viewing import Viewing
from muzero.view.console import tell
from muzero.view.film import Picture, Scene, standing
from muzero.view.terminal import bar, plain, redraws, unicode_ok

if TYPE_CHECKING:
    from muzero.agent import Agent

UPPER = "▀"
"""The upper half block: its foreground colour is one pixel, its background the pixel below."""
SHADES = " .:-=+*#%@"
"""From dark to light, for terminals without colour."""
BELOW = 3
"""Lines of the screen below the picture: the prompt, and the result."""
BESIDE = 50
"""Columns of the screen next to the picture."""
SMALLEST, WIDEST = 10, 100
"""Least and most columns of a picture."""
UNKNOWN = (100, 45)
"""Columns and lines without a terminal."""
GAP = "  "
"""Between the picture and the text."""
BAR, TOP = 20, 6
HOME = "\x1b[H\x1b[J"
HELP = """  Enter    one move
  30       that many moves
  run      to the end of the game; Ctrl-C stops there
  again    a new game
  quit     leave (Ctrl-D too)
Next to the picture: the search's best moves with its policy in percent and their visits; > marks the move played.
The value is the return that the agent expects, in units of the rewards it was trained on."""
LEAVE = ("quit", "q", "exit")
AGAIN = "again"


@dataclass(frozen=True)
class Paint:
    """How pictures are shown on standard output."""

    colour: bool
    """in colour, or in shades of text"""
    live: bool
    """each over the one before, or one after the other"""

    def __call__(self, frame: Picture, told: list[str]) -> None:
        """Show a picture with text next to it."""
        print((HOME if self.live else "") + screen(frame, told, self.colour), flush=True)


def watch(agent: Agent, seed: int, simulations: int | None, read: Callable[[str], str]) -> None:
    """Show games until the user quits. `read` returns a line for a prompt, or raises EOFError."""
    paint = Paint(colour=not plain(sys.stdout) and unicode_ok(sys.stdout), live=redraws(sys.stdout))
    viewing = Viewing(agent, seed, simulations)
    begin(viewing, paint)
    who = "the agent" if agent.name == viewing.spec.name else agent.name
    tell(f"{viewing.spec.name}: {who} plays, you watch   ? for help\n")
    while True:
        typed = read("again or quit> " if viewing.over else "Enter, a number of moves, run or quit> ").strip().lower()
        if typed in LEAVE:
            print("bye", flush=True)
            return
        if viewing.over or typed == AGAIN:
            seed += 1
            viewing = Viewing(agent, seed, simulations)
            begin(viewing, paint)
        else:
            go(viewing, ahead(typed), paint)


def begin(viewing: Viewing, paint: Paint) -> None:
    """Show the position before the first move."""
    paint(viewing.picture(), [standing(0, viewing.score, viewing.lives), "the start of a new game"])


def ahead(word: str) -> int:
    """How many moves a typed word asks for; 0, after a message, if it wasn't understood."""
    if word in ("run", "r"):
        return sys.maxsize
    if word == "":
        return 1
    if word.isascii() and word.isdecimal() and len(word) <= 6:
        return int(word)
    tell(HELP if word in ("?", "help") else f"not understood: {word[:40]!r}\n{HELP}")
    return 0


def go(viewing: Viewing, moves: int, paint: Paint) -> None:
    """Play some moves; shows each in a terminal, otherwise only the last."""
    made, unseen = 0, None
    try:
        while made < moves and not viewing.over:
            analysis = viewing.think()
            unseen = viewing.scene(analysis)
            viewing.step(analysis)
            made += 1
            if paint.live or made == moves or viewing.over:
                paint(unseen.frame, thoughts(unseen))
                unseen = None
    except KeyboardInterrupt:
        if unseen is not None:
            paint(unseen.frame, thoughts(unseen))
        print(f"stopped after {made:,} moves", flush=True)
    if viewing.over:
        print(f"{'The game was cut off' if viewing.cut else 'Game over'}. Score {viewing.score:g}.", flush=True)


def screen(frame: Picture, told: list[str], colour: bool) -> str:
    """The picture with text next to it."""
    size = shutil.get_terminal_size(UNKNOWN)
    lines = max(1, size.lines - BELOW)
    across, down = fitted(frame, size.columns - BESIDE, lines)
    shown = blocks(frame, across, down, colour)
    shown += [" " * across] * (min(len(told), lines) - len(shown))
    told = [line[:max(0, size.columns - across - len(GAP))] for line in told[:lines]]
    return "\n".join(f"{row}{GAP}{line}".rstrip() for row, line in zip_longest(shown, told, fillvalue=""))


def thoughts(scene: Scene) -> list[str]:
    """The text for one moment, line by line."""
    best = np.argsort(-scene.policy, kind="stable")[:TOP]
    rows = [f"{'>' if action == scene.action else ' '} {scene.names[action]:<13} "
            f"{bar(float(scene.policy[action]), BAR)} {scene.policy[action]:4.0%} {scene.visits[action]:4d}"
            for action in best.tolist()]
    return [standing(scene.move, scene.score, scene.lives), f"value {scene.values[-1]:.3f}", "", *rows]


def fitted(picture: Picture, columns: int, lines: int) -> tuple[int, int]:
    """(columns, lines) of the largest picture of the same aspect ratio that fits; at least SMALLEST columns if there
    are enough lines. Each character shows two pixels, one above the other."""
    height, width = picture.shape[:2]
    across = max(1, min(max(SMALLEST, columns), WIDEST, 2 * lines * width // height))
    return across, max(1, across * height // width // 2)


def blocks(picture: Picture, columns: int, lines: int, colour: bool) -> list[str]:
    """picture [H, W, 3] as `lines` lines of `columns` columns."""
    height, width = picture.shape[:2]
    y, x = np.arange(2 * lines) * height // (2 * lines), np.arange(columns) * width // columns
    small = picture[y][:, x]
    if not colour:
        grey = small.reshape(lines, 2, columns, 3).mean((1, 3))
        return ["".join(SHADES[int(shade * len(SHADES) / 256)] for shade in row) for row in grey]
    return [_line(upper, lower) for upper, lower in zip(small[0::2], small[1::2], strict=True)]


def _line(upper: Picture, lower: Picture) -> str:
    """Two rows of pixels [W, 3] as one line; emits colour codes only where the colour changes."""
    parts, before = [], b""
    for ink, ground in zip(upper, lower, strict=True):
        now = ink.tobytes() + ground.tobytes()
        if now != before:
            (r, g, b), (s, h, c) = ink.tolist(), ground.tolist()
            parts.append(f"\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m")
            before = now
        parts.append(UPPER)
    return "".join(parts) + "\x1b[0m"
