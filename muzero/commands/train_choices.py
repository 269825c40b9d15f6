"""Automatic sizes of a run: chooses them for the machine and the game, prints them, and stores what was measured."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from muzero import presets
from muzero.commands.train_folder import SIZING, SURVEY
from muzero.config import Config, ScalarConfig, by_game, unresolved
from muzero.storage import checkpoint, runs
from muzero.storage.disk import disk_errors, replace_file
from muzero.view.console import log
from muzero.view.terminal import figure

if TYPE_CHECKING:
    from muzero.bench.sizing import Sizing
    from muzero.presets.survey import Survey


def chosen(config: Config, out: Path, stored: Config | None, asked: Collection[str] = ()) -> Config:
    """`config` with a number in place of every automatic size; prints the choices and, if anything was measured, stores
    the figures in the run's folder. asked: dotted names of the settings given by hand. Raises Locked while another
    trainer is using it."""
    try:
        runs.check_writable(out)
    except checkpoint.CheckpointError as error:
        raise type(error)(f"{error}\n  choose another folder with --out FOLDER") from error
    with runs.lock(out):
        config, seen = surveyed(config, stored, asked)
        keep(out / SURVEY, seen, stored)
        settled, measured = resolved(config, stored)
        keep(out / SIZING, measured, stored)
    return settled


def keep(path: Path, measured: Survey | Sizing | None, stored: Config | None) -> None:
    """Store measurements in the folder of a run; a new run starts without those of an earlier one."""
    with disk_errors(f"{path} could not be written"):
        if stored is None:
            path.unlink(missing_ok=True)
        if measured is not None:
            replace_file(path, f"{json.dumps(dataclasses.asdict(measured), indent=2)}\n".encode())


def surveyed(config: Config, stored: Config | None, asked: Collection[str] = ()) -> tuple[Config, Survey | None]:
    """`config` with the sizes that depend on the game, and the survey of random games, if any were played."""
    left = by_game(config)
    if not left:
        return config, None
    from muzero.presets import survey

    if stored is None:
        log(f"playing {survey.GAMES} random games, of at most {survey.MOVES:,} moves, to see their rewards ...")
    settled, seen = survey.settle(config, stored, log, asked)
    if seen is not None:
        log(f"{seen.games} random games: {seen.moves:,} moves (median), {seen.ended} ended on their own, {paid(seen)}")
    hand = (presets.by_hand(config) | set(asked)) - set(left) if stored is None else frozenset()
    supports = {"value": settled.model.value, "reward": settled.model.reward}
    parts = [told_support(name, support, hand) for name, support in supports.items() if f"model.{name}.bins" in left]
    if "selfplay.max_moves" in left:
        lengths = {"max_moves": settled.selfplay.max_moves, "part_moves": settled.selfplay.part_moves}
        parts.append(options_of("selfplay", lengths, hand))
    log("chosen for this game: " + ", ".join(parts))
    return settled, seen


def paid(seen: Survey) -> str:
    """The rewards of random games, in words."""
    if seen.rewards == (0.0, 0.0):
        return "no rewards"
    return f"rewards {from_to(*seen.rewards)}, discounted returns {from_to(*seen.returns)}"


def from_to(low: float, high: float) -> str:
    """`from -100 to -1`, or `of 1`."""
    return f"of {figure(low)}" if low == high else f"from {figure(low)} to {figure(high)}"


def options_of(section: str, numbers: Mapping[str, float], hand: Collection[str]) -> str:
    """The options that set `numbers`, without those given by hand."""
    return ", ".join(f"--{section}.{name.replace('_', '-')} {number:g}" for name, number in numbers.items()
                     if f"{section}.{name}" not in hand)


def told_support(name: str, support: ScalarConfig, hand: Collection[str]) -> str:
    """The choice of the support of "value" or "reward", and the range it covers."""
    options, reach = options_of(f"model.{name}", told(support), hand), support.reach
    return f"{options} ({name}s {from_to(*reach)})" if math.isfinite(reach[1]) else options


def told(support: ScalarConfig) -> dict[str, float]:
    """The fields of a support, without those that have no effect."""
    parts = {"low": support.low, "high": support.high, "bins": support.bins}
    parts |= {"scale": support.scale} if support.scale != 1.0 else {}
    return parts | ({"offset": support.offset} if support.offset != 0.0 else {})


def resolved(config: Config, stored: Config | None) -> tuple[Config, Sizing | None]:
    """`config` with the sizes that depend on the machine, and what was measured for them, if anything."""
    if not unresolved(config):
        return config, None
    from muzero.bench import sizing
    from muzero.device.allocator import keep_freed_blocks

    keep_freed_blocks()
    settled, measured = sizing.resolve(config, stored)
    numbers = {"selfplay.games": settled.selfplay.games, "train.actors": settled.train.actors,
               "search.threads": settled.search.threads}
    log("chosen for this machine: " + ", ".join(f"--{name} {numbers[name]}" for name in unresolved(config)))
    return settled, measured
