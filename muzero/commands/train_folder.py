"""The folder of a run: which one a command means, whether training may resume in it, and setting it aside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import games
from games.families import family
from games.own_names import classes_in, from_here, is_own, same_game
from muzero import presets
from muzero.commands.arguments import game_spec, near_run, note_folder
from muzero.commands.train_options import asked_preset, with_preset
from muzero.config import Config
from muzero.storage import checkpoint, metrics, runs
from muzero.storage.disk import TEMPORARY, disk_errors, is_folder, is_there, named
from muzero.view.console import USAGE, CommandError, command, log, quoted

SIZING = "sizing.json"
"""File in a run's folder with the measurements behind its number of games."""
SURVEY = "survey.json"
"""File in a run's folder with the survey of random games behind its supports and the length of its games."""
LEFT_BEHIND = frozenset({runs.LOCK, SIZING, SURVEY, metrics.FILE, metrics.EVENTS, runs.CHECKPOINTS, runs.SNAPSHOTS})
"""Files that a run leaves if it is killed before its first checkpoint."""


def locate(target: str) -> tuple[str, Path | None]:
    """Canonical name of the game, and the run's folder if `target` is one."""
    folder = named(target)
    config = stored_config(folder)
    if config is not None and is_own(config.game):
        raise CommandError(
            f"{target} was trained on the user's own game {config.game!r}, so loading it would run that Python code\n"
            f"  if you trust it, name it: {command('train', from_here(config.game), '--out', folder)}", USAGE
        )
    if config is not None:
        note_folder(target)
        return config.game, folder
    if is_folder(folder) and not is_game(target) and runs.is_begun(folder):
        raise CommandError(f"the run in {target} has no checkpoint yet, so its game isn't known: name the game, and "
                           f"the folder with --out {quoted(folder)}", USAGE)
    if is_folder(folder) and not is_game(target):
        raise CommandError(f"{target} holds no run: name a game, and the folder with --out {quoted(folder)}", USAGE)
    inside = classes_in(target)
    if inside is not None:
        raise CommandError(f"{target!r} is a file: {inside}", USAGE)
    if os.sep in target and family(target) == "open_spiel":
        raise CommandError(f"expected a game or the folder of a run, got {target}{near_run(target)}", USAGE)
    return game_spec(target).name, None


def check_readable(out: Path) -> None:
    """Refuse a folder that can't be looked into, such as a link to itself. Raises CheckpointError with the mend."""
    try:
        runs.newest(out)
    except checkpoint.CheckpointError as error:
        raise type(error)(f"{error}\n  choose another folder with --out FOLDER") from error


def is_game(name: str) -> bool:
    """True for a game that can be played, even if a folder has the same name."""
    try:
        games.spec(name)
    except games.GameError:
        return False
    return True


def stored_config(out: Path) -> Config | None:
    """The config of the run in `out`, None if there is none. Raises Damaged."""
    newest = runs.newest(out)
    return None if newest is None else checkpoint.read_config(newest)


def check_game(out: Path, stored: Config, game: str) -> None:
    """Refuse a folder that holds a run of another game."""
    if not same_game(stored.game, game):
        raise CommandError(
            f"{out} holds a run of {stored.game}, not of {game}\n"
            "  choose another folder with --out, or start over with --fresh (the old run is set aside)", USAGE
        )


def check_preset(out: Path, stored: Config, argv: Sequence[str]) -> None:
    """Refuse a --preset other than the one the run was made with; says how to resume it."""
    asked, made = asked_preset(argv), presets.made_with(stored)
    if asked not in (None, made):
        raise CommandError(
            f"{out} holds a run made with --preset {made}, not with {asked}\n"
            f"  resume it with: {command('train', *with_preset(argv, made))}\n"
            "  or choose another folder with --out, or start over with --fresh (the old run is set aside)", USAGE)


def set_aside(out: Path) -> None:
    """Rename a run's folder to make room for a new run. Raises Locked while a trainer is using it."""
    if not is_folder(out) or not any(out.iterdir()):
        return
    foreign = {path.name for path in out.iterdir() if not path.name.startswith(TEMPORARY)} - LEFT_BEHIND
    if runs.newest(out) is None and foreign:
        raise CommandError(f"{out} is not empty and holds no run: choose another --out", USAGE)
    number = 1
    while is_there(aside := out.with_name(f"{out.name}.old{number}")):
        number += 1
    with runs.lock(out), disk_errors(f"{out} could not be set aside"):
        out.rename(aside)
    log(f"the old run in {out} was moved to {aside}")
