"""Overviews: the help of a command that is a choice of others, with what each does and examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def overview(
    program: str, kind: str, about: str, choices: Mapping[str, str], examples: Iterable[str], *, more: str = ""
) -> str:
    """What `PROGRAM --help` says. kind: what one choice is called; choices: what each does, by its name; more: a
    sentence beside how to learn more of one."""
    columns = max(map(len, choices)) + 2
    lines = "\n".join(f"  {name:<{columns}}{does}" for name, does in choices.items())
    shown = "\n".join(f"  {example}" for example in examples)
    tells = f"`{program} {kind.upper()} --help` tells more." + (f" {more}" if more else "")
    return (f"usage: {program} {kind.upper()} [OPTIONS]\n\n{about}\n\n{kind}s:\n{lines}\n\n{tells}\n\n"
            f"examples:\n{shown}")
