"""Markup of pictures and pages: escaped text, elements, and the colours of both in light and dark."""

from __future__ import annotations

import html

from muzero.view.terminal import printable

BEST = "#0b63ce"
"""Of the expected line on a light ground."""
COLOURS = """
:root { color-scheme: light dark; --ground: #ffffff; --card: #f5f6f8; --ink: #1c2128; --soft: #5b6572; --line: #c9d0d9;
  --best: """ + BEST + """; --bar: #9dc1ee; --first: #c8312b; --second: #b07c00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --card: #1d2229; --ink: #e6e9ee; --soft: #9aa5b1;
  --line: #3a434f; --best: #6cb0ff; --bar: #2f5c92; --first: #ff6b63; --second: #f0c040; --bad: #ff8a80; } }
"""
"""Style sheet: names of the colours."""


def escaped(text: str) -> str:
    """Text for an element or an attribute; control codes, which XML doesn't allow, are written out."""
    return html.escape(printable(text))


def element(name: str, content: str = "", **attributes: object) -> str:
    """An element with escaped attributes; `class_` stands for class, `_` for `-`. content is markup already."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"' for key, value in
                    attributes.items() if value is not None)
    return f"<{name}{given}>{content}</{name}>"
