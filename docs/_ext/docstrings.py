"""Docstrings for autodoc: they are plain text with `code` and indented examples, not reStructuredText."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"`([^`]+)`")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
SPECIAL = re.compile(r"([\\*|_<>])")
"""What would be markup."""


def escaped(line: str) -> str:
    """One line of prose: `code` becomes a literal, all else stands as it is written."""
    parts = CODE.split(line)
    return "".join(f"``{part}``" if place % 2 else SPECIAL.sub(r"\\\1", part) for place, part in enumerate(parts))


def restructured(lines: list[str]) -> list[str]:
    """A docstring's lines as reStructuredText: paragraphs of prose, literal blocks of indented lines."""
    out: list[str] = []
    literal = False
    for line in joined_code(lines):
        indented = line.startswith("    ")
        if indented and not literal:
            out += ["", "::", ""]
        elif literal and line and not indented:
            out.append("")
        literal = indented or (literal and not line)
        out.append(line if literal else escaped(line))
    return out


def joined_code(lines: list[str]) -> list[str]:
    """The same lines, where `code` that runs on into the next one stands whole on the first."""
    out: list[str] = []
    for line in lines:
        if out and out[-1].count("`") % 2 and line and not line.startswith("    "):
            out[-1] += f" {line.strip()}"
        else:
            out.append(line)
    return out


def process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Called by autodoc for each docstring, which it changes in place."""
    lines[:] = restructured(lines)


def signature(app: Sphinx, what: str, name: str, obj: object, options: object, text: str | None, returned: str | None
              ) -> tuple[str | None, str | None]:
    """Called by autodoc for each signature: that of a protocol or a dataclass says no more than its fields."""
    if what == "class" and (getattr(obj, "_is_protocol", False) or dataclasses.is_dataclass(obj)):
        return "", None
    return named(text), named(returned)


def named(text: str | None) -> str | None:
    """A signature with type aliases by their bare names: Sphinx shows those within a union otherwise."""
    return None if text is None else ALIAS.sub(r"\1", text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hook."""
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
