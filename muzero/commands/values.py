"""Values of options on the command line: schedules, whole numbers and paths as text, and help texts in one piece."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructTypeInfo,
)

from games.naming import nearest
from muzero.config import Schedule
from muzero.storage.disk import named

REGISTRY = ConstructorRegistry()
"""The rules by which tyro reads and writes these values."""


@REGISTRY.primitive_rule
def _schedule_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Schedule] | None:
    """Schedules are written `32` or `0:8,0.2:16,0.6:32`."""
    # Depending on the default, the same type may have another spelling.
    if get_args(info.type) != get_args(Schedule):
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="NUMBER|FROM:NUMBER,...",
        instance_from_str=lambda texts: parse_schedule(texts[0]),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda schedule: [write_schedule(schedule)],
    )


@REGISTRY.primitive_rule
def _whole_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[int] | None:
    """Whole numbers may be written `1e6`."""
    if info.type is not int:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda texts: parse_whole(texts[0]),
        is_instance=lambda value: type(value) is int,
        str_from_instance=lambda value: [str(value)],
    )


@REGISTRY.primitive_rule
def _path_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
    """A path may begin with `~`, which shells don't expand in `--out=~/runs`."""
    if info.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda texts: named(texts[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda value: [str(value)],
    )


@REGISTRY.primitive_rule
def _name_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[str | None] | None:
    """One of a few names, also where the option may be left out (`Literal[...] | None`)."""
    names = _names(info.type)
    if not names:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{{{','.join(names)}}}",
        instance_from_str=lambda texts: parse_name(texts[0], names),
        is_instance=lambda value: value in names or (value is None and get_origin(info.type) is not Literal),
        str_from_instance=lambda value: [str(value)],
    )


@REGISTRY.primitive_rule
def _several_names_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[tuple[str, ...]] | None:
    """Any number of a few names."""
    element, *rest = get_args(info.type) or (None,)
    names = _names(element) if info.type_origin is tuple and rest == [...] else ()
    if not names:
        return None
    one = f"{{{','.join(names)}}}"
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{one} [{one} ...]]",
        instance_from_str=lambda texts: tuple(parse_name(text, names) for text in texts),
        is_instance=lambda value: isinstance(value, tuple) and all(name in names for name in value),
        str_from_instance=list,
    )


def _names(annotation: Any) -> tuple[str, ...]:
    """The names of a `Literal` of strings, or of one that may be None; none for any other type."""
    if get_origin(annotation) is Literal:
        return get_args(annotation) if all(isinstance(name, str) for name in get_args(annotation)) else ()
    parts = [part for part in get_args(annotation) if part is not NoneType]
    optional = len(parts) == 1 and NoneType in get_args(annotation)
    return _names(parts[0]) if optional else ()


@REGISTRY.struct_rule
def _lines_joined_rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Help texts are wrapped to the terminal only: the line ends of a docstring in the source count for nothing."""
    if _asking:
        return None
    with _the_other_rules():
        found = ConstructorRegistry.get_struct_spec(info)
    if not isinstance(found, StructConstructorSpec):
        return None
    fields = (dataclasses.replace(field, helptext=partial(_joined, field.helptext)) for field in found.fields)
    return dataclasses.replace(found, fields=tuple(fields))


_asking: list[bool] = []
"""Not empty while `_lines_joined_rule` asks the rules below it."""


@contextlib.contextmanager
def _the_other_rules() -> Iterator[None]:
    _asking.append(True)
    try:
        yield
    finally:
        _asking.pop()


def _joined(text: str | Callable[[], str | None] | None) -> str | None:
    """A help text, each paragraph in one line."""
    found = text() if callable(text) else text
    return None if found is None else "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", found))


def parse_whole(text: str) -> int:
    """`1000` or `1e3`. Raises ValueError for anything else."""
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        if (number := float(text)).is_integer():
            return int(number)
    raise ValueError(f"expected a whole number, got {text!r}")


def parse_name(text: str, names: Sequence[str]) -> str:
    """`text`, which is one of `names`. Raises ValueError that lists them in their order, and says which was meant."""
    if text in names:
        return text
    *others, last = names
    known = f"{', '.join(others)} or {last}" if others else last
    raise ValueError(f"expected {known}, got {text!r}{nearest(text, names)}")


def parse_schedule(text: str) -> Schedule:
    """`32` is a constant; `0:8,0.2:16` is 8 from the start, then 16 from a fifth of training on."""
    parts = text.split(",")
    if len(parts) == 1 and ":" not in text:
        return ((0.0, _number(text)),)
    return tuple(_point(part) for part in parts)


def _point(part: str) -> tuple[float, float]:
    start, colon, number = part.rpartition(":")
    if not colon:
        raise ValueError(f"expected FROM:NUMBER, as in 0:64,0.3:256, got {part!r}, which has no colon")
    return _number(start), _number(number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, got {text!r}") from None


def write_schedule(schedule: Schedule) -> str:
    """The inverse of `parse_schedule`."""
    if len(schedule) == 1:
        return f"{schedule[0][1]:g}"
    return ",".join(f"{start:g}:{number:g}" for start, number in schedule)
