"""`muzero inspect AGENT`: what an agent thinks of a position, or how far its model may be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from muzero.commands.inspect import model, position
from muzero.view.console import USAGE, CommandError

__all__ = ["run"]


def run(argv: Sequence[str]) -> int:
    """Inspect the model, or else one position."""
    of_model, of_position = _options(model.Arguments), _options(position.Arguments)
    if model.FLAG in argv:
        _refuse(argv, of_position - of_model, f"is for a position: leave out {model.FLAG}")
        return model.run(argv)
    _refuse(argv, of_model - of_position, f"is for the model: add {model.FLAG}")
    return position.run(argv)


def _refuse(argv: Sequence[str], others: set[str], why: str) -> None:
    """Refuse options of the other inspection. Raises CommandError (usage)."""
    for word in argv:
        option = word.partition("=")[0].replace("_", "-")
        if option in others:
            picture = "; the picture of a model is --plot FILE.svg" if option == "--out" else ""
            raise CommandError(f"{option} {why}{picture}", USAGE)


def _options(arguments: type[model.Arguments] | type[position.Arguments]) -> set[str]:
    return {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(arguments)}
