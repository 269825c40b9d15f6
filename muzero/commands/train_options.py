"""Options of `muzero train`, and how they turn a preset or an existing run into a config."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import games
from games.machine import memory
from muzero import presets
from muzero.commands.arguments import HELP, Maybe, parse
from muzero.config import (
    AloneConfig,
    Config,
    HeldOutConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
)
from muzero.config.kinds import Algorithm
from muzero.view.console import USAGE, CommandError

EXAMPLES = (
    "muzero train tic_tac_toe",
    "muzero train connect_four --minutes 60            # Ctrl-C saves; the same command resumes",
    "muzero train 'hex(board_size=5)' --out checkpoints/runs/hex5 --steps 5000",
    "muzero train othello --model.width 64 --learner.batch 0:64,0.3:256 --train.actors 4",
    "muzero train checkpoints/runs/connect_four --minutes 120   # a run by its folder, for longer",
)


SHOWN = "tic_tac_toe"
"""The game whose defaults are shown by help without a game."""
OF_A_GAME = f"muzero train GAME --help            # the defaults of GAME; those above are {SHOWN}'s"


@dataclass(frozen=True)
class Arguments:
    """Train an agent from scratch by self-play. Defaults shown are those for this game or run.

    Training stops at --steps, --minutes or --positions; Ctrl-C saves and stops, and the same command resumes.
    """

    preset: Maybe[str] = None
    """Preset of settings to start from (default: the usual one for the game). Atari has gumbel, efficientzero, muzero,
    and small for a machine without a GPU. A run keeps the preset it was made with."""
    out: Maybe[Path] = None
    """Folder of the run (default: checkpoints/runs/GAME). A run in it is resumed with its settings."""
    steps: Maybe[int] = None
    """Stop after this many learning steps in total (short for --train.steps N --train.minutes 0)."""
    minutes: Maybe[float] = None
    """Stop after this many minutes in total (short for --train.minutes M --train.steps 0
    --train.horizon 0). Schedules then follow the clock, so two such runs differ even with the same seed."""
    positions: Maybe[int] = None
    """Stop after this many positions, each sampled --learner.replay-ratio times (short for --train.positions N
    --train.steps 0 --train.minutes 0 --train.horizon 0)."""
    planner: Maybe[Algorithm] = None
    """Planner of self-play and of play (short for --search.algorithm NAME --play.algorithm NAME)."""
    fresh: bool = False
    """Start over even if the folder holds a run, which is set aside under another name."""
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    play: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    alone: AloneConfig = dataclasses.field(default_factory=AloneConfig)
    selfplay: SelfPlayConfig = dataclasses.field(default_factory=SelfPlayConfig)
    replay: ReplayConfig = dataclasses.field(default_factory=ReplayConfig)
    held_out: HeldOutConfig = dataclasses.field(default_factory=HeldOutConfig)
    learner: LearnerConfig = dataclasses.field(default_factory=LearnerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)


SECTIONS = tuple(field.name for field in dataclasses.fields(Config) if field.name not in ("game", "preset"))


def split(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The game (or run) and the options after it. Help without a game shows the options for tic_tac_toe."""
    if argv and not argv[0].startswith("-"):
        if argv[1:] and not argv[1].startswith("-"):
            raise CommandError(f"expected one game, got two: {argv[0]} and {argv[1]}", USAGE)
        return argv[0], argv[1:]
    if any(flag in argv for flag in HELP):
        return SHOWN, argv
    raise CommandError("expected a game: `muzero train GAME [OPTIONS]`; `muzero games` lists them", USAGE)


def asked_preset(options: Sequence[str]) -> str | None:
    """The name after --preset, whose settings the other options override."""
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


def read(options: Sequence[str], base: Config, target: str) -> Arguments:
    """Parse the options, with defaults from `base`. target: the game or run that was named; empty: none, for help."""
    default = Arguments(**{name: getattr(base, name) for name in SECTIONS})
    examples = EXAMPLES if target else (*EXAMPLES, OF_A_GAME)
    return parse(Arguments, options, f"muzero train {target or 'GAME'}", examples, default)


def without_learned_dynamics(arguments: Arguments, preset: Config) -> Arguments:
    """`arguments` on top of the preset's variant for the true rules: what no option changed is taken from it."""
    rules = presets.with_rules(preset)
    sections = {}
    for name in SECTIONS:
        asked, before, after = getattr(arguments, name), getattr(preset, name), getattr(rules, name)
        names = [field.name for field in dataclasses.fields(asked)]
        same = {key: getattr(after, key) for key in names if getattr(asked, key) == getattr(before, key)}
        sections[name] = dataclasses.replace(asked, **same)
    return dataclasses.replace(arguments, **sections)


def to_config(arguments: Arguments, game: str, preset: str) -> Config:
    """The config of a run. preset: name of the preset it starts from. Raises ConfigError for values that no run can
    use, such as too large a replay buffer."""
    sections = {name: getattr(arguments, name) for name in SECTIONS}
    if arguments.planner is not None:
        for name in ("search", "play"):
            sections[name] = dataclasses.replace(sections[name], algorithm=arguments.planner)
    given = (arguments.steps, arguments.minutes, arguments.positions)
    if any(limit is not None for limit in given):
        horizon = arguments.train.horizon if arguments.minutes is arguments.positions is None else 0
        sections["train"] = dataclasses.replace(
            arguments.train, steps=arguments.steps or 0, minutes=arguments.minutes or 0.0,
            positions=arguments.positions or 0, horizon=horizon)
    config = Config(game=game, preset=preset, **sections)
    # Refuse before a run's folder is made. Imported late, so that a setting out of bounds is refused at once.
    from muzero.replay.held_out import bytes_reserved

    check_memory(bytes_reserved(games.spec(game), config))
    return config


def check_memory(reserved: int) -> None:
    """Refuse a replay buffer that would exhaust the memory once full. reserved: its bytes. Raises CommandError."""
    most = memory()
    if reserved > most:
        raise CommandError(f"the replay buffer reserves {reserved / 1e6:,.0f} MB, but this process may use only "
                           f"{most / 1e6:,.0f} MB of memory: lower --replay.capacity", USAGE)
