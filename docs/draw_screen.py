"""Draws the last lines of a terminal's output as an SVG, for the pictures of play.

    printf '4\\n4\\n3\\n5\\nq\\n' | muzero play connect_four \\
      | python docs/draw_screen.py --lines 18 --skip 3 > docs/images/play.svg
"""

from __future__ import annotations

import argparse
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 8.4, 18, 16
"""Of a character, and around the text, in pixels."""
BACK, FORE = "#161b22", "#d0d7de"
LINES = dict.fromkeys("│└─┴┘", "#8b949e")
COLOURS = {"●": "#ff7b72", "○": "#f2cc60", "█": "#58a6ff", "░": "#3d444d", **LINES}
"""Of some signs; all others are of the colour of text."""


def spans(line: str) -> list[tuple[int, str, str]]:
    """Column, colour and text of each run of one colour without a space in it."""
    found: list[tuple[int, str, str]] = []
    for column, sign in enumerate(line):
        colour = COLOURS.get(sign, FORE)
        if sign == " ":
            continue
        if found and found[-1][1] == colour and found[-1][0] + len(found[-1][2]) == column:
            found[-1] = (found[-1][0], colour, found[-1][2] + sign)
        else:
            found.append((column, colour, sign))
    return found


def drawn(lines: list[str], title: str) -> str:
    """The lines as an SVG. Every run has its width stated, so that columns meet in any font."""
    across = round(max(map(len, lines)) * WIDTH + 2 * MARGIN)
    down = len(lines) * HEIGHT + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across}" height="{down}" '
        f'role="img" aria-label="{escape(title)}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" '
        'font-size="14">',
        f'<rect width="{across}" height="{down}" rx="8" fill="{BACK}"/>',
    ]
    for row, line in enumerate(lines):
        y = MARGIN + row * HEIGHT + 13
        for column, colour, text in spans(line):
            x, width = MARGIN + column * WIDTH, len(text) * WIDTH
            out.append(f'<text x="{x:.1f}" y="{y}" fill="{colour}" textLength="{width:.1f}" '
                       f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def main() -> None:
    """Read from the input, write to the output."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=22, help="how many of the last lines")
    options.add_argument("--skip", type=int, default=0, help="leave out so many lines at the end")
    options.add_argument("--title", default="a game in the terminal", help="what a screen reader says")
    given = options.parse_args()
    lines = [line.rstrip() for line in sys.stdin.read().splitlines()]
    lines = lines[: len(lines) - given.skip]
    sys.stdout.write(drawn(lines[-given.lines :], given.title))


if __name__ == "__main__":
    main()
