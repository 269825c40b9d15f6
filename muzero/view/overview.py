"""Help texts of commands that have subcommands: a list of these, with examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def overview(
    program: str, kind: str, about: str, choices: Mapping[str, str], examples: Iterable[str], *, more: str = ""
) -> str:
    """The text of `PROGRAM --help`. kind: what a subcommand is called; choices: name -> what it does; more: a further
    sentence."""
    columns = max(map(len, choices)) + 2
    lines = "\n".join(f"  {name:<{columns}}{does}" for name, does in choices.items())
    shown = "\n".join(f"  {example}" for example in examples)
    tells = f"`{program} {kind.upper()} --help` says more." + (f" {more}" if more else "")
    return (f"usage: {program} {kind.upper()} [OPTIONS]\n\n{about}\n\n{kind}s:\n{lines}\n\n{tells}\n\n"
            f"examples:\n{shown}")
