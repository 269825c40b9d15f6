"""Options shared by the modes of `muzero evaluate`, and their checks before anything is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from muzero.commands.arguments import Maybe, PlannerName
from muzero.commands.bounds import check_numbers
from muzero.reports.files import check_target
from muzero.view.console import USAGE, CommandError

Agent = tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="AGENT")]]
"""The agent that a command names."""
NEED_AGENT = ("noise", "planner", "video")
"""Options that apply only to an agent, not to another player."""


@dataclass(frozen=True)
class Common:
    """How an agent is measured, and where the results go."""

    noise: Maybe[float] = None
    """Gumbel noise, or fraction of Dirichlet noise, at each root (default: the agent's; 0: none)."""
    seed: int = 0
    own_game: Maybe[str] = None
    """Run the Python code of the own game, FILE.py:Class."""
    json: Maybe[Path] = None
    """Also write the results here, with their provenance."""
    planner: PlannerName = None
    """Planner: gumbel, puct, policy, one_step, shooting or cem (default: the agent's)."""


USUAL = Common()
CommonOptions = tyro.conf.OmitArgPrefixes[Common]
"""`Common` as part of a mode's arguments, without a prefix before its options."""


def given(arguments: Any) -> dict[str, Any]:
    """Every option of a mode by its name, those of `Common` included."""
    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(arguments)}
    common = values.pop("common", None)
    return values if common is None else {**values, **given(common)}


def check(arguments: Any) -> None:
    """Refuse numbers out of bounds, an unwritable file, and agent options without an agent.

    Raises CommandError (usage).
    """
    values = given(arguments)
    check_numbers(values)
    check_target(values.get("json"))
    if values.get("player") is not None:
        _check_needs(values)


def _check_needs(values: Mapping[str, Any]) -> None:
    for name in NEED_AGENT:
        if values.get(name) is not None:
            raise CommandError(f"--{name.replace('_', '-')} applies only to an agent: leave out --player", USAGE)
