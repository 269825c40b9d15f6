"""`muzero bench search|selfplay|learn|games`: how fast this machine is, and where the time goes."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from games.naming import nearest
from muzero.commands.arguments import HELP, QUIET, Maybe, game_spec, parse
from muzero.commands.bounds import MANY, check_between
from muzero.config import Config, replace
from muzero.config.bounds import BOUNDS
from muzero.config.kinds import DYNAMICS, Dynamics
from muzero.view.console import OK, USAGE, CommandError, tell
from muzero.view.overview import overview

if TYPE_CHECKING:
    from muzero.bench.search import SearchRow
    from muzero.bench.selfplay import SelfPlayRow

KINDS = {
    "search": "the tree alone, a stub stands in for the network",
    "selfplay": "one actor with an untrained network; the best number of games",
    "learn": "learning steps on a replay of random games",
    "games": "games alone under random moves",
}
EXAMPLES = {
    "search": ("muzero bench search", "muzero bench search --shapes 256x50x18 --threads 1 2 --json -"),
    "selfplay": ("muzero bench selfplay connect_four", "muzero bench selfplay 'go(board_size=9)' --games 64 256",
                 "muzero bench selfplay atari/pong --preset small"),
    "learn": ("muzero bench learn connect_four", "muzero bench learn tic_tac_toe --batch 256 1024 --json learn.json"),
    "games": ("muzero bench games", "muzero bench games othello hex --games 1 1024"),
}
NO_GPU = "cuda: no GPU here"
SIZES = ("trees", "simulations", "actions")
"""What the numbers of a shape are, as the C++ search names them."""
SHAPES = ("256x50x18", "64x200x7", "64x200x82", "16x800x362", "1x800x7")


@dataclass(frozen=True)
class SearchArguments:
    """Measure the tree by itself, in CPU time of the whole process and, for several threads, by the wall clock."""

    shapes: tuple[str, ...] = SHAPES
    """Trees x simulations x actions."""
    algorithm: tuple[Literal["gumbel", "puct"], ...] = ("gumbel", "puct")
    threads: tuple[int, ...] = (1,)
    """Threads that share the trees of a search."""
    seconds: float = 1.0
    """For each line."""
    json: Maybe[str] = None
    """Write the figures here too, with command, versions and hardware; - for standard output, without the table."""


@dataclass(frozen=True)
class SelfPlayArguments:
    """Measure self-play of one actor with the game's preset, search at full size, and an untrained network."""

    game: tyro.conf.Positional[str] = "connect_four"
    """Any game that can be trained."""
    preset: Maybe[str] = None
    """As for `muzero train`."""
    games: Annotated[tuple[int, ...], QUIET] = ()
    """Games in lockstep (default: the preset's, or where it leaves them to the machine those that `muzero train` would
    try)."""
    simulations: Maybe[int] = None
    """Simulations of a move (default: the preset's)."""
    dynamics: Dynamics = "learned"
    """What the search moves by. With rules their time counts as the network's."""
    precision: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    """Numbers the network computes with."""
    device: tuple[Literal["cpu", "cuda"], ...] = ("cpu", "cuda")
    threads: int = 0
    """Threads of the tree; 0 = as `muzero train` would choose."""
    plain_allocator: bool = False
    """Leave the C library's allocator as it is, to see what keeping freed memory is worth."""
    seconds: float = 1.0
    """For each line, at least one move a round; on a CPU the best of three rounds is shown."""
    json: Maybe[str] = None
    """Write the figures here too, with command, versions and hardware; - for standard output, without the table."""


@dataclass(frozen=True)
class LearnArguments:
    """Measure learning steps with the game's preset. `draw` is making the batch, `update` the optimizer's part."""

    game: tyro.conf.Positional[str] = "connect_four"
    """Any game that can be trained."""
    preset: Maybe[str] = None
    """As for `muzero train`."""
    batch: Annotated[tuple[int, ...], QUIET] = ()
    """Positions of a step (default: those of the preset's schedule)."""
    device: tuple[Literal["cpu", "cuda"], ...] = ("cpu", "cuda")
    seconds: float = 2.0
    """For each line."""
    json: Maybe[str] = None
    """Write the figures here too, with command, versions and hardware; - for standard output, without the table."""


@dataclass(frozen=True)
class GamesArguments:
    """Measure games by themselves: observations, legal moves and steps under random play."""

    game: tyro.conf.Positional[tuple[str, ...]] = ("tic_tac_toe", "connect_four")
    """Any games that can be trained."""
    games: tuple[int, ...] = (1, 64, 512)
    """Games in lockstep."""
    seconds: float = 0.5
    """For each line."""
    json: Maybe[str] = None
    """Write the figures here too, with command, versions and hardware; - for standard output, without the table."""


@dataclass(frozen=True)
class Found:
    """What a measurement gave."""

    rows: Sequence[Any]
    table: str
    said: tuple[str, ...]
    """Lines after the table."""
    facts: dict[str, Any]
    """More for the JSON."""


def run(argv: Sequence[str]) -> int:
    """Measure, print the table, write the JSON."""
    if not argv or argv[0] in HELP:
        tell(help_text())
        return OK if argv else USAGE
    kind, *rest = argv
    if kind not in KINDS:
        raise CommandError(f"bench {kind!r}: unknown{nearest(kind, KINDS)}\n  wanted: {', '.join(KINDS)}", USAGE)
    cls, measure = MEASURES[kind]
    arguments = parse(cls, rest, f"muzero bench {kind}", EXAMPLES[kind])
    check_json(arguments.json)
    check_some(arguments)
    if not 0.0 < arguments.seconds <= 3600.0:
        raise CommandError(f"--seconds: expected a number above 0 and at most 3,600, got {arguments.seconds}", USAGE)
    show(kind, argv, measure(arguments), arguments.json)
    return OK


def help_text() -> str:
    """What `muzero bench --help` says."""
    examples = (line for lines in EXAMPLES.values() for line in lines)
    return overview("muzero bench", "kind", "Measure this machine.", KINDS, examples)


def show(kind: str, argv: Sequence[str], found: Found, target: str | None) -> None:
    """The table and what it says on stdout, or JSON there instead."""
    from muzero.evaluation.provenance import hardware, provenance
    from muzero.reports.files import write_json

    content = {**provenance(["bench", *argv]), "bench": kind, **found.facts,
               "rows": [dataclasses.asdict(row) for row in found.rows]}
    if target == "-":
        json.dump(content, sys.stdout, indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return
    machine, versions = hardware(), content["versions"]
    tell(f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; GPU: "
         f"{machine['gpu'] or 'none'}; torch {versions['torch']}, numpy {versions['numpy']}; "
         f"commit {short(content['commit']) or 'unknown'}\n")
    tell(found.table)
    if found.said:
        tell("\n" + "\n".join(found.said))
    if target is not None:
        write_json(Path(target), content)


def short(commit: str) -> str:
    """The first digits of a commit, and whether files differ from it."""
    digits, plus, changes = commit.partition("+")
    return digits[:12] + plus + changes


def check_some(arguments: Any) -> None:
    """Refuse an option that was given without any value where one is needed."""
    for field in dataclasses.fields(arguments):
        if isinstance(field.default, tuple) and field.default and not getattr(arguments, field.name):
            name = "a game" if field.name == "game" else f"--{field.name}: at least one value"
            raise CommandError(f"expected {name}", USAGE)


def check_json(target: str | None) -> None:
    """Refuse a file that can't be written, before anything is measured."""
    if target is None or target == "-":
        return
    path = Path(target)
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise CommandError(f"--json {target}: can't be written there", USAGE)


def refuse_too_large(what: str, needed: int, free: int, mend: str) -> None:
    """Raises CommandError (usage) with the size if `needed` bytes are more than there are."""
    if needed > free:
        raise CommandError(f"{what} needs {needed / 2**30:,.1f} GiB, {free / 2**30:,.1f} GiB are free: {mend}", USAGE)


def devices(wanted: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Those of the wanted devices that are there, and what to say of the others."""
    import torch

    missing = "cuda" in wanted and not torch.cuda.is_available()
    there = [name for name in dict.fromkeys(wanted) if name != "cuda" or not missing]
    return there, (NO_GPU,) if missing else ()


def search(arguments: SearchArguments) -> Found:
    """Every shape with every algorithm and number of threads."""
    for threads in arguments.threads:
        check_between("--threads", threads, (1, BOUNDS["search.threads"][1]))
    wanted = [numbers(text) for text in arguments.shapes]
    from muzero.bench import search as tree
    from muzero.bench.memory import free_bytes
    from muzero.bench.tables import SEARCH

    shapes = [tree.Shape(*sizes) for sizes in wanted]
    for shape in shapes:
        for algorithm in arguments.algorithm:
            refuse_too_large(f"--shapes {shape} ({algorithm})", tree.memory_needed(shape, algorithm),
                             free_bytes(), "use fewer trees, simulations or actions")
    rows = [tree.measure(shape, algorithm, threads, arguments.seconds)
            for shape in shapes for algorithm in arguments.algorithm for threads in arguments.threads]
    best = best_threads(rows) if len(arguments.threads) > 1 else ()
    return Found(rows, SEARCH.lines(rows), best, {"best": best})


def best_threads(rows: Sequence[SearchRow]) -> tuple[str, ...]:
    """For each shape and algorithm the fewest threads that are about as fast as any."""
    rates: dict[str, dict[int, float]] = {}
    for row in rows:
        name = f"{row.algorithm} {row.trees}x{row.simulations}x{row.actions}"
        rates.setdefault(name, {})[row.threads] = row.simulations_per_second
    return tuple(f"best for {name}: --search.threads {fewest(rate)}" for name, rate in rates.items())


def fewest(rates: dict[int, float]) -> int:
    """The smallest number whose rate is near the best."""
    from muzero.bench.selfplay import smallest_near_best
    from muzero.bench.sizing import NEAR

    return smallest_near_best(rates, NEAR)


def numbers(text: str) -> tuple[int, int, int]:
    """Trees, simulations, actions of `64x200x7`. Raises CommandError (usage)."""
    parts = text.split("x")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        raise CommandError(f"--shapes: expected trees x simulations x actions, such as 64x200x7, got {text!r}", USAGE)
    import cpp_mcts

    sizes, limits = tuple(int(part) for part in parts), cpp_mcts.limits()
    for size, name in zip(sizes, SIZES, strict=True):
        check_between(f"--shapes {text}", size, limits[name], name)
    return sizes[0], sizes[1], sizes[2]


def selfplay(arguments: SelfPlayArguments) -> Found:
    """Every device, precision and number of games."""
    game = game_spec(arguments.game).name
    for number in arguments.games:
        check_between("--games", number, (1, BOUNDS["selfplay.games"][1]))
    if arguments.simulations is not None:
        check_between("--simulations", arguments.simulations, BOUNDS["search.simulations"])
    check_between("--threads", arguments.threads, BOUNDS["search.threads"])
    from muzero.bench import selfplay as playing
    from muzero.bench.memory import free_bytes, selfplay_bytes
    from muzero.bench.tables import SELFPLAY
    from muzero.device.allocator import keep_freed_blocks

    if not arguments.plain_allocator:
        keep_freed_blocks()
    there, said = devices(arguments.device)
    configs = [config for device in there for precision in arguments.precision
               for config in variants(arguments, game, device, precision)]
    for config in configs:
        for device, needed in selfplay_bytes(config).items():
            refuse_too_large(f"--games {config.selfplay.games} on {config.train.device}", needed, free_bytes(device),
                             "use fewer games or simulations")
    rows = [row for device in there for row in playing.in_turns(
        [config for config in configs if config.train.device == device], arguments.seconds)]
    best = [best_line(device, [row for row in rows if row.device == device]) for device in there]
    return Found(rows, SELFPLAY.lines(rows), (*said, *best), {"game": game, "missing": said, "best": best})


def variants(arguments: SelfPlayArguments, game: str, device: str, precision: str) -> list[Config]:
    """The preset for each number of games asked for, or for those that a run could have."""
    from muzero import presets
    from muzero.bench import sizing

    preset = presets.load(game, arguments.preset)
    if not DYNAMICS[arguments.dynamics].learned:
        preset = presets.with_rules(preset)
    config = sizing.settle(replace(preset, {
        "train.device": device, "train.precision": precision, "search.threads": arguments.threads,
        "search.simulations": arguments.simulations or preset.search.simulations,
        "selfplay.simulations_share": [[0.0, 1.0]],
    }))
    # A preset's own number is what a run has.
    fixed = (preset.selfplay.games,) if preset.selfplay.games else ()
    wanted = arguments.games or fixed or sizing.fitting(config)
    return [replace(config, {"selfplay.games": number}) for number in wanted]


def best_line(device: str, rows: Sequence[SelfPlayRow]) -> str:
    """The settings that are best on a device."""
    fastest = max(rows, key=lambda row: row.rate())
    same = {row.games: row.rate() for row in rows if row.precision == fastest.precision}
    return (f"best on {device}: --selfplay.games {fewest(same)} --search.threads {fastest.threads} "
            f"--train.precision {fastest.precision}")


def learn(arguments: LearnArguments) -> Found:
    """Every device and batch."""
    game = game_spec(arguments.game).name
    for size in arguments.batch:
        check_between("--batch", size, BOUNDS["learner.batch"])
    from muzero import presets
    from muzero.bench import learn as learning
    from muzero.bench.memory import free_bytes, learning_bytes
    from muzero.bench.tables import LEARN
    from muzero.device.allocator import keep_freed_blocks
    from muzero.presets import survey

    keep_freed_blocks()
    config, _ = survey.settle(presets.load(game, arguments.preset))
    there, said = devices(arguments.device)
    batches = arguments.batch or tuple(sorted({int(size) for _, size in config.learner.batch}))
    for device in there:
        for size in batches:
            refuse_too_large(f"--batch {size} on {device}", learning_bytes(config, size),
                             free_bytes(device), "use a smaller batch")
    rows = []
    for device in there:
        learner = learning.Learning(config, device)
        rows += [learner.measure(size, arguments.seconds) for size in batches]
    best = [f"best on {device}: a batch of {fewest({row.batch: row.rate() for row in rows if row.device == device})} "
            "(the smallest that is about as fast as any; what is learned depends on it)"
            for device in there if len(batches) > 1]
    return Found(rows, LEARN.lines(rows), (*said, *best), {"game": game, "missing": said, "best": best})


def lockstep(arguments: GamesArguments) -> Found:
    """Every game and number in lockstep."""
    names = [game_spec(name).name for name in arguments.game]
    for number in arguments.games:
        check_between("--games", number, (1, MANY))
    from muzero.bench import games as playing
    from muzero.bench.memory import free_bytes, lockstep_bytes
    from muzero.bench.tables import GAMES

    for name in names:
        for number in arguments.games:
            refuse_too_large(f"--games {number} of {name}", lockstep_bytes(name, number), free_bytes(),
                             "use fewer games")
    rows = [playing.measure(name, number, arguments.seconds) for name in names for number in arguments.games]
    return Found(rows, GAMES.lines(rows), (), {})


MEASURES: dict[str, tuple[type[Any], Callable[[Any], Found]]] = {
    "search": (SearchArguments, search), "selfplay": (SelfPlayArguments, selfplay), "learn": (LearnArguments, learn),
    "games": (GamesArguments, lockstep),
}
