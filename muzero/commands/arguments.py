"""Command-line parsing into dataclasses: tyro, plus schedules, examples in every help, and exit code 2 for mistakes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from games.own_names import from_here
from muzero.config import Schedule
from muzero.storage import runs
from muzero.storage.disk import named
from muzero.view.console import USAGE, CommandError, log, quoted, tell

if TYPE_CHECKING:
    from games.base import GameSpec
    from muzero.agent import Agent

T = TypeVar("T")
HELP = ("-h", "--help")
RUNS = Path("checkpoints/runs")
"""Default folder of runs."""
AGENT_EXPECTED = "expected a game with a shipped agent, or the folder of a run (checkpoints/runs/...)"

QUIET = tyro.conf.arg(help_behavior_hint="")
"""Hides `(default: ...)` in a help text that already says what happens without the option."""
Maybe = Annotated[T | None, QUIET]
"""An option that may be left out: `Maybe[int] = None`."""

_registry = ConstructorRegistry()


@_registry.primitive_rule
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


@_registry.primitive_rule
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


@_registry.primitive_rule
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


def parse_whole(text: str) -> int:
    """`1000` or `1e3`. Raises ValueError for anything else."""
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        if (number := float(text)).is_integer():
            return int(number)
    raise ValueError(f"expected a whole number, got {text!r}")


def parse_schedule(text: str) -> Schedule:
    """`32` is a constant; `0:8,0.2:16` is 8 from the start, then 16 from a fifth of training on."""
    points = []
    for part in text.split(","):
        start, colon, number = part.rpartition(":")
        points.append((float(start) if colon else 0.0, float(number)))
    return tuple(points)


def write_schedule(schedule: Schedule) -> str:
    """The inverse of `parse_schedule`."""
    if len(schedule) == 1:
        return f"{schedule[0][1]:g}"
    return ",".join(f"{start:g}:{number:g}" for start, number in schedule)


def parse(
    cls: type[T], argv: Sequence[str], prog: str, examples: Sequence[str], default: T | None = None
) -> T:
    """Parse `argv` into a `cls`, starting from `default`. Help ends with examples; both help and mistakes exit."""
    base = tyro.MISSING_NONPROP if default is None else default
    # With defaults from a game or run, a command must mean the same whatever they are: hence --x and --no-x.
    markers = [tyro.conf.DisallowNone, *([tyro.conf.FlagCreatePairsOff] if default is None else [])]
    try:
        return tyro.cli(cls, args=list(argv), prog=prog, default=base, registry=_registry, config=markers)
    except SystemExit as leaving:
        if not leaving.code and any(flag in argv for flag in HELP):
            print_examples(examples)
        if leaving.code and (switch := _spelt_out(argv)) is not None:
            log(f"  a switch takes no value: {switch}")
        raise


def _spelt_out(argv: Sequence[str]) -> str | None:
    """`--x.no-y instead of --x.y False`, for the first switch given a value."""
    for option, value in pairwise(argv):
        if option.startswith("--") and value.lower() in ("true", "false"):
            section, dot, name = option[2:].rpartition(".")
            switch = option if value.lower() == "true" else f"--{section}{dot}no-{name}"
            return f"{switch} instead of {option} {value}"
    return None


def print_examples(examples: Sequence[str]) -> None:
    """The last lines of every help text."""
    tell("\nexamples:")
    for line in examples:
        tell(f"  {line}")
    sys.stdout.flush()


def find_agent(name: str) -> Path:
    """The folder of an agent named by the user; loads nothing.

    Raises CommandError that says how to get one: a usage error for an unknown name, a failure if there is no agent yet.
    """
    from games.own_names import classes_in
    from muzero.storage import checkpoint

    inside = classes_in(name)
    if inside is not None:
        raise CommandError(f"{name!r} is a file: {inside}", USAGE)
    try:
        return runs.resolve(name)
    except checkpoint.Damaged:
        raise
    except checkpoint.CheckpointError as error:
        hint = _how_to_get_one(name)
        if hint is not None:
            raise CommandError(f"{error}\n  {hint}") from error
        raise CommandError(f"{error}{near_run(name)}\n  {_what_was_meant(name)}", USAGE) from error


def load_agent(name: str, own_game: str | None = None, noise: float | None = None) -> Agent:
    """The agent of a folder or game. Raises what `find_agent` raises, and Damaged for bad files.

    `own_game` names the user's own game whose Python code may run; noise overrides that of the agent's searches.
    """
    find_agent(name)
    from muzero.agent import load
    from muzero.device.allocator import keep_freed_blocks

    keep_freed_blocks()
    note_folder(name)
    return load(name, own_game=own_game, noise=noise)


def note_folder(name: str) -> None:
    """Print a note if a game's name is taken as a run in a folder of that name."""
    import games

    if os.sep in name or not runs.names_folder(name):
        return
    with contextlib.suppress(games.GameError):
        games.spec(name)
        log(f"{name} is taken as the run in the folder {Path(name).absolute()}, not as the game")


def near_run(name: str) -> str:
    """`; did you mean X?` with the most similar run in the folder of runs, or empty."""
    known = {folder.name: folder for folder in RUNS.glob("*/") if (folder / runs.CHECKPOINTS).is_dir()}
    near = get_close_matches(Path(name).name, known, n=1)
    return f"; did you mean {known[near[0]]}?" if near else ""


def _what_was_meant(name: str) -> str:
    import games
    from games.families import family

    try:
        games.spec(name)
    except games.GameError as error:
        if "/" not in name or family(name) != "open_spiel":
            return str(error)
    return AGENT_EXPECTED


def _how_to_get_one(name: str) -> str | None:
    """How to get an agent of a known game or from an existing folder; None for a name of neither."""
    import games

    try:
        game = games.spec(name).name
    except games.GameError:
        folder = named(name)
        if steps := runs.steps_in(folder):
            return f"name one of its folders, such as {steps[-1]}; muzero evaluate tournament takes {name} for all"
        return AGENT_EXPECTED if folder.exists() else None
    run = RUNS / runs.slug(game)
    if runs.newest(run) is not None:
        return f"your own run of it is {run}"
    return f"train one: muzero train {quoted(from_here(game))}"


def game_spec(name: str) -> GameSpec:
    """The spec of a game named by the user. Raises CommandError (usage) that names the nearest."""
    import games

    try:
        return games.spec(name)
    except games.GameError as error:
        raise CommandError(f"{error}\n  `muzero games` lists what can be played", USAGE) from error
