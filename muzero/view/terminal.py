"""Formatting for terminals: colour, tables, bars, and readable numbers."""

from __future__ import annotations

import contextlib
import io
import math
import os
import select
import termios
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TextIO

CODES: Final = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35",
    "cyan": "36",
}
LOCAL: Final = 3
"""Index of the local modes, such as ECHOCTL, in those of a terminal."""


def printable(text: str) -> str:
    """`text` with control codes and the like escaped, except line ends."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def redraws(stream: TextIO) -> bool:
    """True for a terminal on which lines can be drawn over: not a dumb one."""
    return os.environ.get("TERM", "dumb") != "dumb" and stream.isatty()


def plain(stream: TextIO) -> bool:
    """True if colours must be avoided: not a terminal, a dumb one, or NO_COLOR set."""
    return bool(os.environ.get("NO_COLOR")) or not redraws(stream)


@contextlib.contextmanager
def control_keys_unechoed(stream: TextIO) -> Iterator[None]:
    """Ctrl-C isn't echoed as `^C` to the terminal of `stream`, where it would shift what is drawn over."""
    before = _modes(stream)
    if before is None:
        yield
        return
    changed = [*before[:LOCAL], before[LOCAL] & ~termios.ECHOCTL, *before[LOCAL + 1 :]]
    _set_modes(stream, changed)
    try:
        yield
    finally:
        if _modes(stream) is not None:
            _set_modes(stream, before)


def _modes(stream: TextIO) -> list[Any] | None:
    """The modes of the terminal of `stream`; None if there is none, or if it belongs to another process at present: a
    background process that sets them would be stopped."""
    try:
        number = stream.fileno()
        return termios.tcgetattr(number) if os.tcgetpgrp(number) == os.getpgrp() else None
    except (io.UnsupportedOperation, OSError, termios.error):
        return None


def _set_modes(stream: TextIO, modes: list[Any]) -> None:
    # A terminal that was closed has nothing to restore.
    with contextlib.suppress(termios.error):
        termios.tcsetattr(stream, termios.TCSANOW, modes)


def takes_more(stream: TextIO) -> bool:
    """False for a pipe whose reader is alive but not reading: writing would block."""
    try:
        number = stream.fileno()
    except io.UnsupportedOperation:
        return True
    watch = select.poll()
    watch.register(number, select.POLLOUT)
    return bool(watch.poll(0))


def unicode_ok(stream: TextIO) -> bool:
    """True if stones and bars can be drawn in Unicode."""
    return (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").startswith("utf")


class Ink:
    """Colours text, or leaves it unchanged."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, *styles: str) -> str:
        """`text` in `styles` (names of `CODES`)."""
        if not self.on or not styles or not text:
            return text
        return f"\x1b[{';'.join(CODES[style] for style in styles)}m{text}\x1b[0m"


def ink(stream: TextIO) -> Ink:
    """The pen for a stream."""
    return Ink(not plain(stream))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Aligned columns, two spaces apart; columns in `left` are left-aligned, the others right-aligned."""
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    lines = []
    for line in (header, *rows):
        padded = enumerate(zip(line, widths, strict=True))
        cells = [text.ljust(width) if i in left else text.rjust(width) for i, (text, width) in padded]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """`0:42`, `12:05` or `1:02:03`."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def bar(share: float, width: int, fancy: bool = True) -> str:
    """`share` in [0, 1] of `width` characters, filled from the left."""
    filled = round(min(1.0, max(0.0, share)) * width)
    full, empty = ("█", "░") if fancy else ("#", "-")
    return full * filled + empty * (width - filled)


def quantity(number: float) -> str:
    """`950`, `12.3 k` or `1.2 M`."""
    if number >= 999_500:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.1f} k" if number >= 9_995 else f"{number:,.0f}"


def amount(number: float, decimals: int) -> str:
    """A number with this many decimals, or with three significant digits if those would show little of it."""
    return f"{number:.3g}" if 0.0 < abs(number) < 10.0 ** (1 - decimals) else f"{number:.{decimals}f}"


def figure(number: float) -> str:
    """A number with three significant digits, or, from a hundred on, rounded and with commas: `0.0237`, `12,346`."""
    return f"{number:,.0f}" if 100.0 <= abs(number) < 1e9 else f"{number:.3g}"


def counted(number: int, what: str) -> str:
    """`1 game` or `3 games`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def told_cut(cut: int, games: int, limit: int) -> str:
    """The note on games cut off at the move limit."""
    return (f"{cut:,} of {counted(games, 'game')} {'was' if cut == 1 else 'were'} cut off after {limit:,} moves and "
            f"count{'s' if cut == 1 else ''} with the return so far (--max-moves sets the limit)")


def signed(number: float) -> str:
    """A finite number rounded: `+213`, `-40` or `0`."""
    return f"{round(number):+d}" if round(number) else "0"


def interval(low: float, high: float, write: Callable[[float], str] = lambda number: str(round(number))) -> str:
    """`-20 to 85`; `120 or more`, `85 or less` or `any` if an end is infinite."""
    if math.isfinite(low) and math.isfinite(high):
        return f"{write(low)} to {write(high)}"
    if math.isfinite(low):
        return f"{write(low)} or more"
    return f"{write(high)} or less" if math.isfinite(high) else "any"
