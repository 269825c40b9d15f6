"""The settings of a config as Markdown, read from the dataclasses: name, default, bounds, meaning."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from typing import Any, Literal

from muzero.config import Config
from muzero.config.bounds import bounds
from muzero.config.kinds import PLANNERS
from selfplay.schedule import Schedule

MANY = 10_000_000
"""Larger whole numbers are bounds of a type, written as powers of two."""


def meanings(cls: type[Any]) -> dict[str, str]:
    """Name of each field -> the string that stands under it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, following in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = inspect.cleandoc(str(following.value.value))
        found[field.target.id] = text
    return found


def section(name: str) -> type[Any]:
    """The dataclass of a section by its dotted name, such as `model.value`."""
    cls: type[Any] = Config
    for part in name.split("."):
        cls = typing.get_type_hints(cls)[part]
    return cls


def plain(number: float) -> str:
    """A number as a person would write it: powers of two and ten as such."""
    if isinstance(number, int) and number > MANY:
        return f"2^{number.bit_length() - 1}" if number & (number - 1) == 0 else f"2^{number.bit_length()} - 1"
    if isinstance(number, float) and (abs(number) >= 1e5 or 0 < abs(number) < 1e-4):
        return f"{number:g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def default_of(value: Any) -> str:
    """The default as it is written on a command line."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        points = [plain(number) if len(value) == 1 else f"{start:g}:{number:g}" for start, number in value]
        return ",".join(points)
    if isinstance(value, (int, float)):
        return plain(value)
    return str(value)


def allowed(name: str, hint: Any, value: Any) -> str:
    """What the setting may be, in words."""
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    if isinstance(value, bool):
        return "on or off"
    if isinstance(value, str):
        return "text"
    low, high = bounds(name)
    least = "above 0" if 0 < low < 1e-300 else f"from {plain(low)}"
    kind = "a number or a schedule, " if hint == Schedule else ""
    return f"{kind}{least} to {plain(high)}"


def markdown(name: str) -> str:
    """All settings of a section, and of those inside it that are planners' own."""
    cls = section(name)
    hints, words = typing.get_type_hints(cls), meanings(cls)
    lines: list[str] = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            lines += [markdown(f"{name}.{field.name}")] if field.name in PLANNERS else []
            continue
        path = f"{name}.{field.name}"
        value = field.default
        meaning = " ".join(words[field.name].split())
        facts = f"Default `{default_of(value)}`; {allowed(path, hint, value)}."
        lines += [f"```{{setting}} {path}", *([meaning, ""] if meaning else []), facts, "```", ""]
    return "\n".join(lines)
