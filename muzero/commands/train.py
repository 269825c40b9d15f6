"""`muzero train GAME`: start a run, or resume the one in the folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import games
from games.own_names import short_name
from games.trial import try_game
from muzero import presets
from muzero.commands.arguments import RUNS
from muzero.commands.train_choices import chosen
from muzero.commands.train_folder import (
    SIZING,
    SURVEY,
    check_game,
    check_preset,
    check_readable,
    locate,
    set_aside,
    stored_config,
)
from muzero.commands.train_options import (
    Arguments,
    asked_preset,
    named_in,
    read,
    split,
    to_config,
    without_learned_dynamics,
)
from muzero.commands.train_words import crowded, for_a_gpu, limit, say_next, step_of, written
from muzero.config import Config, check_continues
from muzero.config.kinds import DYNAMICS
from muzero.storage import runs
from muzero.view.console import log


def run(argv: Sequence[str]) -> int:
    """Train; returns 0 when the limit is reached, 130 when interrupted and saved."""
    # A game's code may change the current folder.
    here = Path.cwd()
    target, options = split(argv)
    game, folder = locate(target)
    preset = presets.load(game, asked_preset(options))
    arguments = read(options, preset, game if len(options) < len(argv) else "")
    games.check_installed(game)
    if not DYNAMICS[arguments.model.dynamics].learned:
        arguments = without_learned_dynamics(arguments, preset)
    out = here / (arguments.out or folder or RUNS / runs.slug(game))
    check_readable(out)
    stored = None if arguments.fresh else stored_config(out)
    if stored is None:
        config = begun(arguments, game, preset.preset, out)
    else:
        check_game(out, stored, game)
        stored = dataclasses.replace(stored, game=game)
        check_preset(out, stored, argv)
        config = to_config(read(options, stored, game), game, stored.preset)
    with runs.leaving_nothing(out, (SIZING, SURVEY)):
        config = chosen(config, out, stored, named_in(options))
        if stored is not None:
            for name, (old, new) in check_continues(out, stored, config).items():
                log(f"changed: {name} {written(old)} -> {written(new)}")
        os.chdir(here)
        return train(config, out, stored)


def begun(arguments: Arguments, game: str, preset: str, out: Path) -> Config:
    """The config of a new run, after a trial of its game; an old run in `out` is set aside."""
    config = to_config(arguments, game, preset)
    for remark in try_game(game):
        log(f"{short_name(game)}: {remark}")
    if arguments.fresh:
        set_aside(out)
    return config


def train(config: Config, out: Path, stored: Config | None) -> int:
    """Train with a display, and print at the end which command to type next."""
    from muzero.replay.held_out import bytes_reserved
    from muzero.training import loop as training
    from muzero.view.display import Display

    before, here = step_of(out), Path.cwd()
    shown = out.relative_to(here) if out.is_relative_to(here) else out
    reserved = bytes_reserved(games.spec(config.game), config)
    log(f"{short_name(config.game)}: {limit(config.train)}{f', resuming from step {before:,}' if stored else ''}")
    log(f"run folder {shown}; the replay reserves {reserved / 1e6:,.0f} MB; Ctrl-C saves and stops")
    for warning in crowded(reserved):
        log(warning)
    if stored is None and (advice := for_a_gpu(config)):
        log(advice)
    with Display() as display:
        code = training.run(config, out, report=display.show)
    os.chdir(here)
    say_next(shown, code, before, config, display.newest)
    return code
