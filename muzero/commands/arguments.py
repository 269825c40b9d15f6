"""Command-line parsing into dataclasses: tyro, plus schedules, examples in every help, and exit code 2 for mistakes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import tyro

from games.own_names import from_here, is_own
from muzero.commands import mistakes
from muzero.commands.values import REGISTRY
from muzero.config.kinds import Algorithm
from muzero.storage import runs
from muzero.storage.disk import named
from muzero.view.console import FAILURE, USAGE, CommandError, log, quoted, tell

if TYPE_CHECKING:
    from games.base import GameSpec
    from muzero.agent import Agent

T = TypeVar("T")
HELP = ("-h", "--help")
RUNS = Path("checkpoints/runs")
"""Default folder of runs."""
LISTED = ("open_spiel", "atari")
"""Families of games that `muzero games` lists."""
AGENT_EXPECTED = "expected a game with a shipped agent, or the folder of a run (checkpoints/runs/...)"

QUIET = tyro.conf.arg(help_behavior_hint="")
"""Hides `(default: ...)` in a help text that already says what happens without the option."""
PlannerName = Annotated[Algorithm | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
"""An option for the planner of an agent."""
Maybe = Annotated[T | None, QUIET]
"""An option that may be left out: `Maybe[int] = None`."""


def parse(
    cls: type[T], argv: Sequence[str], prog: str, examples: Sequence[str], default: T | None = None
) -> T:
    """Parse `argv` into a `cls`, starting from `default`. Help ends with examples; both help and mistakes exit."""
    base = tyro.MISSING_NONPROP if default is None else default
    # With defaults from a game or run, a command must mean the same whatever they are: hence --x and --no-x.
    markers = [tyro.conf.DisallowNone, *([tyro.conf.FlagCreatePairsOff] if default is None else [])]
    try:
        return tyro.cli(cls, args=list(argv), prog=prog, default=base, registry=REGISTRY, config=markers)
    except SystemExit as leaving:
        if not leaving.code and any(flag in argv for flag in HELP):
            print_examples(examples)
        if leaving.code and (hint := mistakes.hint(argv, default)):
            log(f"  {hint}")
        raise


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
    except (checkpoint.Damaged, runs.NoneYet):
        raise
    except checkpoint.CheckpointError as error:
        hint, code = _how_to_get_one(name)
        said = f"{error}\n  {hint}" if hint else f"{error}{near_run(name)}\n  {_what_was_meant(name)}"
        raise CommandError(said, code) from error


def load_agent(
    name: str, own_game: str | None = None, noise: float | None = None, planner: str | None = None
) -> Agent:
    """The agent of a folder or game. Raises what `find_agent` raises, and Damaged for bad files.

    `own_game` names the user's own game whose Python code may run; noise and planner override those of the agent.
    """
    find_agent(name)
    from muzero.agent import load
    from muzero.device.allocator import keep_freed_blocks

    keep_freed_blocks()
    note_folder(name)
    agent = load(name, own_game=own_game, noise=noise, planner=planner)
    if own_game is not None and not is_own(agent.spec.name):
        log(f"--own-game {own_game} has no effect: {name} plays {agent.spec.name}")
    return agent


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


def _how_to_get_one(name: str) -> tuple[str, int]:
    """How to get an agent of a known game or from an existing folder, empty for a name of neither; and the exit code: a
    failure for a game that has no agent yet, a usage error for what is none."""
    import games

    try:
        game = games.spec(name).name
    except games.GameError:
        folder = named(name)
        if steps := runs.steps_in(folder):
            return (f"name one of its folders, such as {steps[-1]}; muzero evaluate tournament takes {name} for all",
                    USAGE)
        return AGENT_EXPECTED if folder.exists() else "", USAGE
    run = RUNS / runs.slug(game)
    if runs.newest(run) is not None:
        return f"your own run of it is {run}", FAILURE
    return f"train one: muzero train {quoted(from_here(game))}", FAILURE


def game_spec(name: str) -> GameSpec:
    """The spec of a game named by the user. Raises CommandError (usage) that names the nearest."""
    import games
    from games.families import family

    try:
        return games.spec(name)
    except games.GameError as error:
        listed = "\n  `muzero games` lists what can be played" if family(name) in LISTED else ""
        raise CommandError(f"{error}{listed}", USAGE) from error
