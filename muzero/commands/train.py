"""`muzero train GAME`: start a run, or go on with the one in the folder."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import games
from games.families import family
from games.machine import busy, free_memory, memory
from games.own_names import classes_in, from_here, is_own, same_game
from games.trial import try_game
from muzero import presets
from muzero.commands.arguments import HELP, RUNS, Maybe, game_spec, near_run, note_folder, parse
from muzero.config import (
    AloneConfig,
    Config,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    ScalarConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
    by_game,
    check_continues,
    unresolved,
)
from muzero.config.kinds import DYNAMICS, NETWORKS
from muzero.storage import checkpoint, runs
from muzero.storage.disk import TEMPORARY, disk_errors, is_folder, is_there, named, replace_file
from muzero.view.console import INTERRUPTED, USAGE, CommandError, command, log, quoted, tell
from muzero.view.terminal import figure

if TYPE_CHECKING:
    from muzero.bench.sizing import Sizing
    from muzero.presets.survey import Survey
    from muzero.view.progress import Progress

EXAMPLES = (
    "muzero train tic_tac_toe",
    "muzero train connect_four --minutes 60            # Ctrl-C saves; the same command goes on",
    "muzero train 'hex(board_size=5)' --out checkpoints/runs/hex5 --steps 5000",
    "muzero train othello --model.width 64 --learner.batch 0:64,0.3:256 --train.actors 4",
    "muzero train checkpoints/runs/connect_four --minutes 120   # a run by its folder, for longer",
)

SMALL = "small"
"""The preset for machines without a GPU."""
MANY_SAMPLES = 5_000_000
"""Samples of pictures from which on a core learns for hours: with the preset `small`, two."""
SIZING = "sizing.json"
"""What was measured to choose a run's number of games, in its folder."""
SURVEY = "survey.json"
"""What random games showed to choose a run's supports and the length of its games."""
LEFT_BEHIND = frozenset({runs.LOCK, SIZING, SURVEY, "metrics.jsonl", "tensorboard", "checkpoints", runs.SNAPSHOTS})
"""What a run killed before its first checkpoint leaves."""


@dataclass(frozen=True)
class Arguments:
    """Train an agent from nothing by playing against itself. Defaults shown are those for this game or run.

    Training stops at --steps, --minutes or --positions; Ctrl-C saves and stops, and the same command goes on from
    there.
    """

    preset: Maybe[str] = None
    """Settings to begin with (default: the usual ones of the game). Atari has gumbel, efficientzero, muzero, and small
    for a machine without a GPU. A run goes on with the one it was made with."""
    out: Maybe[Path] = None
    """Folder of the run (default: checkpoints/runs/GAME). A run that is there goes on with its settings."""
    steps: Maybe[int] = None
    """Stop after this many learning steps in all (short for --train.steps N --train.minutes 0)."""
    minutes: Maybe[float] = None
    """Stop after this many minutes in all (short for --train.minutes M --train.steps 0
    --train.horizon 0). Schedules then follow the clock: two such runs differ even with the same seed."""
    positions: Maybe[int] = None
    """Stop after this many positions, each drawn --learner.replay-ratio times (short for --train.positions N
    --train.steps 0 --train.minutes 0 --train.horizon 0)."""
    fresh: bool = False
    """Start anew even if the folder holds a run, which is set aside under another name."""
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    play: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    alone: AloneConfig = dataclasses.field(default_factory=AloneConfig)
    selfplay: SelfPlayConfig = dataclasses.field(default_factory=SelfPlayConfig)
    replay: ReplayConfig = dataclasses.field(default_factory=ReplayConfig)
    learner: LearnerConfig = dataclasses.field(default_factory=LearnerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)


SECTIONS = tuple(field.name for field in dataclasses.fields(Config) if field.name != "game")


def run(argv: Sequence[str]) -> int:
    """Train; gives 0 when the limit is reached, 130 when it was interrupted and saved."""
    # A game's own code may change the working folder.
    here = Path.cwd()
    target, options = split(argv)
    game, folder = locate(target)
    preset = presets.load(game, asked_preset(options))
    arguments = read(options, preset, game)
    games.check_installed(game)
    if not DYNAMICS[arguments.model.dynamics].learned:
        arguments = without_learned_dynamics(arguments, preset)
    out = here / (arguments.out or folder or RUNS / runs.slug(game))
    stored = None if arguments.fresh else stored_config(out)
    if stored is None:
        config = to_config(arguments, game)
        for remark in try_game(game):
            log(f"{game}: {remark}")
        if arguments.fresh:
            set_aside(out)
    else:
        check_game(out, stored, game)
        stored = dataclasses.replace(stored, game=game)
        check_preset(out, stored, argv)
        config = to_config(read(options, stored, game), game)
    with runs.leaving_nothing(out, (SIZING, SURVEY)):
        config = chosen(config, out, stored, named_in(options))
        if stored is not None:
            for name, (old, new) in check_continues(out, stored, config).items():
                log(f"changed: {name} {old} -> {new}")
        os.chdir(here)
        return train(config, out, stored)


def split(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The game (or run) and the options after it. Help without a game shows that of tic_tac_toe."""
    if argv and not argv[0].startswith("-"):
        return argv[0], argv[1:]
    if any(flag in argv for flag in HELP):
        return "tic_tac_toe", argv
    raise CommandError("which game? `muzero train GAME [OPTIONS]`; `muzero games` lists them", USAGE)


def asked_preset(options: Sequence[str]) -> str | None:
    """The name after --preset: the other options stand over its settings."""
    for option, following in zip_longest(options, options[1:]):
        name, equals, value = option.partition("=")
        if name == "--preset":
            return value if equals else following
    return None


def named_in(options: Sequence[str]) -> frozenset[str]:
    """The settings that options name, as dotted names."""
    names = (option.partition("=")[0] for option in options if option.startswith("--"))
    return frozenset(name.removeprefix("--").replace("-", "_") for name in names)


def with_preset(options: Sequence[str], name: str) -> list[str]:
    """The same options with another name after --preset."""
    changed = list(options)
    for place, option in enumerate(options):
        if option == "--preset":
            changed[place + 1] = name
        elif option.startswith("--preset="):
            changed[place] = f"--preset={name}"
    return changed


def locate(target: str) -> tuple[str, Path | None]:
    """Canonical name of the game, and the run's folder if `target` is one."""
    folder = named(target)
    config = stored_config(folder)
    if config is not None and is_own(config.game):
        raise CommandError(
            f"{target} was trained on the own game {config.game!r}, whose Python code would have to run\n"
            f"  if you trust it, name it: {command('train', from_here(config.game), '--out', folder)}", USAGE
        )
    if config is not None:
        note_folder(target)
        return config.game, folder
    if is_folder(folder) and not is_game(target):
        raise CommandError(f"{target} holds no run: name a game, and the folder as --out {quoted(folder)}", USAGE)
    inside = classes_in(target)
    if inside is not None:
        raise CommandError(f"{target!r} is a file: {inside}", USAGE)
    if os.sep in target and family(target) == "open_spiel":
        raise CommandError(f"no run {target}; wanted a game, or the folder of a run{near_run(target)}", USAGE)
    return game_spec(target).name, None


def is_game(name: str) -> bool:
    """True for a game that can be played, though a folder in the way has its name."""
    try:
        games.spec(name)
    except games.GameError:
        return False
    return True


def stored_config(out: Path) -> Config | None:
    """The config of the run in `out`, None when there is none. Raises Damaged."""
    newest = runs.newest(out)
    return None if newest is None else checkpoint.read_config(newest)


def read(options: Sequence[str], base: Config, game: str) -> Arguments:
    """The options over `base`."""
    default = Arguments(**{name: getattr(base, name) for name in SECTIONS})
    return parse(Arguments, options, f"muzero train {game}", EXAMPLES, default)


def without_learned_dynamics(arguments: Arguments, preset: Config) -> Arguments:
    """`arguments` over the preset's form for the game's own rules: what no option changed is as there."""
    rules = presets.with_rules(preset)
    sections = {}
    for name in SECTIONS:
        asked, before, after = getattr(arguments, name), getattr(preset, name), getattr(rules, name)
        names = [field.name for field in dataclasses.fields(asked)]
        same = {key: getattr(after, key) for key in names if getattr(asked, key) == getattr(before, key)}
        sections[name] = dataclasses.replace(asked, **same)
    return dataclasses.replace(arguments, **sections)


def to_config(arguments: Arguments, game: str) -> Config:
    """The config of a run. Raises ConfigError for values no run can use, such as too large a replay."""
    sections = {name: getattr(arguments, name) for name in SECTIONS}
    given = (arguments.steps, arguments.minutes, arguments.positions)
    if any(limit is not None for limit in given):
        horizon = arguments.train.horizon if arguments.minutes is arguments.positions is None else 0
        sections["train"] = dataclasses.replace(
            arguments.train, steps=arguments.steps or 0, minutes=arguments.minutes or 0.0,
            positions=arguments.positions or 0, horizon=horizon)
    config = Config(game=game, **sections)
    # Refused before a run's folder is made. Imported here, so that a setting out of bounds is answered at once.
    from muzero.replay.buffer import bytes_reserved

    check_memory(bytes_reserved(games.spec(game), config.replay))
    return config


def check_memory(reserved: int) -> None:
    """Refuse a replay that would end the process once it is full. reserved: its bytes. Raises CommandError."""
    most = memory()
    if reserved > most:
        raise CommandError(f"the replay reserves {reserved / 1e6:,.0f} MB, this process may have {most / 1e6:,.0f} MB "
                           "of memory in all: lower --replay.capacity", USAGE)


def chosen(config: Config, out: Path, stored: Config | None, asked: Collection[str] = ()) -> Config:
    """`config` with a number for everything that was left to the machine; says what was chosen and, where games were
    measured, keeps the figures in the run's folder. asked: what was set by hand, as dotted names. Raises Locked while a
    trainer is at work there."""
    try:
        runs.check_writable(out)
    except checkpoint.CheckpointError as error:
        raise type(error)(f"{error}\n  name another folder by --out FOLDER") from error
    with runs.lock(out):
        config, seen = surveyed(config, stored, asked)
        keep(out / SURVEY, seen, stored)
        settled, measured = resolved(config, stored)
        keep(out / SIZING, measured, stored)
    return settled


def keep(path: Path, measured: Survey | Sizing | None, stored: Config | None) -> None:
    """Leave what was measured in the folder of a run; a new one starts without what another measured."""
    with disk_errors(f"{path} could not be written"):
        if stored is None:
            path.unlink(missing_ok=True)
        if measured is not None:
            replace_file(path, f"{json.dumps(dataclasses.asdict(measured), indent=2)}\n".encode())


def surveyed(config: Config, stored: Config | None, asked: Collection[str] = ()) -> tuple[Config, Survey | None]:
    """`config` without a number left to the game, and what random games showed, if any were played."""
    left = by_game(config)
    if not left:
        return config, None
    from muzero.presets import survey

    if stored is None:
        log(f"playing {survey.GAMES} random games, of at most {survey.MOVES:,} moves, to see what they pay ...")
    settled, seen = survey.settle(config, stored, log, asked)
    if seen is not None:
        log(f"{seen.games} random games: {seen.moves:,} moves (median), {seen.ended} ended by themselves, {paid(seen)}")
    hand = (presets.by_hand(config) | set(asked)) - set(left) if stored is None else frozenset()
    supports = {"value": settled.model.value, "reward": settled.model.reward}
    parts = [told_support(name, support, hand) for name, support in supports.items() if f"model.{name}.bins" in left]
    if "selfplay.max_moves" in left:
        lengths = {"max_moves": settled.selfplay.max_moves, "part_moves": settled.selfplay.part_moves}
        parts.append(options_of("selfplay", lengths, hand))
    log("chosen for this game: " + ", ".join(parts))
    return settled, seen


def paid(seen: Survey) -> str:
    """What random games paid, in words."""
    if seen.rewards == (0.0, 0.0):
        return "nothing was paid"
    return f"rewards {from_to(*seen.rewards)}, discounted returns {from_to(*seen.returns)}"


def from_to(low: float, high: float) -> str:
    """`from -100 to -1`, or `of 1`."""
    return f"of {figure(low)}" if low == high else f"from {figure(low)} to {figure(high)}"


def options_of(section: str, numbers: Mapping[str, float], hand: Collection[str]) -> str:
    """The options that stand for `numbers`, without those that were set by hand."""
    return ", ".join(f"--{section}.{name.replace('_', '-')} {number:g}" for name, number in numbers.items()
                     if f"{section}.{name}" not in hand)


def told_support(name: str, support: ScalarConfig, hand: Collection[str]) -> str:
    """What was chosen for the support of "value" or "reward", and what it can state."""
    options, reach = options_of(f"model.{name}", told(support), hand), support.reach
    return f"{options} ({name}s {from_to(*reach)})" if math.isfinite(reach[1]) else options


def told(support: ScalarConfig) -> dict[str, float]:
    """What a support is made of, without what says nothing."""
    parts = {"low": support.low, "high": support.high, "bins": support.bins}
    parts |= {"scale": support.scale} if support.scale != 1.0 else {}
    return parts | ({"offset": support.offset} if support.offset != 0.0 else {})


def resolved(config: Config, stored: Config | None) -> tuple[Config, Sizing | None]:
    """`config` without a number left to the machine, and what was measured for it, if anything was."""
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


def check_game(out: Path, stored: Config, game: str) -> None:
    """Refuse a folder that holds a run of another game."""
    if not same_game(stored.game, game):
        raise CommandError(
            f"{out} holds a run of {stored.game}, not of {game}\n"
            "  choose another folder with --out, or start anew with --fresh (the old run is set aside)", USAGE
        )


def check_preset(out: Path, stored: Config, argv: Sequence[str]) -> None:
    """Refuse another --preset than the one a run was made with; says how to go on."""
    asked, made = asked_preset(argv), presets.made_with(stored)
    if asked not in (None, made):
        raise CommandError(
            f"{out} holds a run made with --preset {made}, not with {asked}\n"
            f"  go on with: {command('train', *with_preset(argv, made))}\n"
            "  or choose another folder with --out, or start anew with --fresh (the old run is set aside)", USAGE)


def set_aside(out: Path) -> None:
    """Rename a run's folder so that a new run can have its place. Raises Locked while a trainer is at work there."""
    if not is_folder(out) or not any(out.iterdir()):
        return
    foreign = {path.name for path in out.iterdir() if not path.name.startswith(TEMPORARY)} - LEFT_BEHIND
    if runs.newest(out) is None and foreign:
        raise CommandError(f"{out} is not empty and holds no run: another --out wanted", USAGE)
    number = 1
    while is_there(aside := out.with_name(f"{out.name}.old{number}")):
        number += 1
    with runs.lock(out), disk_errors(f"{out} could not be set aside"):
        out.rename(aside)
    log(f"the run that was in {out} is now {aside}")


def train(config: Config, out: Path, stored: Config | None) -> int:
    """Run the training with its display, and say at the end what to type next in the current folder."""
    from muzero.replay.buffer import bytes_reserved
    from muzero.training import loop as training
    from muzero.view.display import Display

    before, here = step_of(out), Path.cwd()
    shown = out.relative_to(here) if out.is_relative_to(here) else out
    reserved = bytes_reserved(games.spec(config.game), config.replay)
    log(f"{config.game}: {limit(config.train)}{f', going on from step {before:,}' if stored else ''}")
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


def crowded(reserved: int) -> list[str]:
    """What to say of a machine that is short of cores or memory now. reserved: bytes of the replay."""
    found, free = [], free_memory()
    if crowd := busy():
        found.append(f"{crowd}, so this training will be slow and learn less in the same minutes")
    if reserved > free:
        found.append(f"only {free / 1e6:,.0f} MB of memory are free now, fewer than the replay will fill")
    return found


def for_a_gpu(config: Config) -> str:
    """What to say of a training on pictures that would keep a processor busy for many hours; nothing on a GPU."""
    from muzero.device.select import device_of

    samples = config.train.positions * config.learner.replay_ratio
    pictures = NETWORKS[config.model.network].pictures
    if not pictures or samples <= MANY_SAMPLES or device_of(config.train.device).type != "cpu":
        return ""
    advice = f"learning from {samples:,.0f} samples of pictures takes many hours without a GPU"
    return f"{advice}; --preset {SMALL} learns within an hour" if SMALL in presets.names(config.game) else advice


def limit(settings: TrainConfig) -> str:
    """When training stops, in words."""
    parts = [f"{settings.positions:,} positions"] if settings.positions else []
    parts += [f"{settings.steps:,} steps"] if settings.steps else []
    of = " of CPU time" if settings.clock == "cpu" else ""
    parts += [f"{settings.minutes:g} minutes{of}"] if settings.minutes else []
    return "training for " + " or ".join(parts)


def step_of(out: Path) -> int:
    """Learning steps of the newest checkpoint; 0 when there is none."""
    newest = runs.newest(out)
    return 0 if newest is None else runs.order(newest)[0]


def twice(train: TrainConfig, step: int) -> str:
    """The option that doubles a run's limit."""
    if train.minutes > 0:
        return f"--minutes {2 * train.minutes:g}"
    return f"--positions {2 * train.positions}" if train.positions > 0 else f"--steps {2 * step}"


def not_yet(last: Progress | None) -> str:
    """What the agent is without, by the last report of its training; nothing if it has all."""
    if last is not None and last.step == 0:
        return f"nothing was learned yet from {last.positions:,} positions"
    if last is not None and last.warmup_positions > 0:
        return (f"nothing was searched yet, all {last.positions:,} positions were random play, "
                f"which goes on up to {last.warmup_positions:,}")
    # Without any target the loss of the policy is 0.
    if last is not None and last.losses.get("policy") == 0.0:
        return "no search was learned from yet, the samples drawn so far are of random play"
    return ""


def say_next(out: Path, code: int, before: int, config: Config, last: Progress | None = None) -> None:
    """The commands that make sense now. last: the last report of the training."""
    step, game = step_of(out), config.game
    own = from_here(game) if is_own(game) else ""
    again = command("train", *([own, "--out"] if own else []), out)
    trust = ["--own-game", own] if own else []
    mode, *opponent = ["match", "--against", "random"] if games.spec(game).players == 2 else ["episodes"]
    measure = command("evaluate", mode, out, *opponent, *trust)
    if code == INTERRUPTED and last is not None and last.reached:
        left_out = "the last evaluation was left out; " if last.unmeasured else ""
        log(f"trained to step {step:,}, the limit, and saved; {left_out}measure it: {measure}")
        return
    if code == INTERRUPTED:
        log(f"saved at step {step:,}; continue with: {again}")
        return
    further = f"go further with: {again} {twice(config.train, step)}"
    if missing := not_yet(last):
        tell(f"too short: {missing}; {further}")
    elif step == before:
        tell(f"this run had reached its limit; {further}")
    tell(f"trained to step {step:,}; saved in {out}")
    tell(f"  play it:     {command('play', out, *trust)}")
    tell(f"  measure it:  {measure}")
