"""`muzero bench search`: only the tree search, with a stub in place of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from muzero.commands.arguments import Maybe
from muzero.commands.bench.found import Found, fewest
from muzero.commands.bench.options import refuse_too_large
from muzero.commands.bounds import check_between
from muzero.config.bounds import BOUNDS
from muzero.config.kinds import PLANNERS
from muzero.view.console import USAGE, CommandError

ALGORITHMS = tuple(name for name, kind in PLANNERS.items() if kind.module == "muzero.search.tree_planner")

if TYPE_CHECKING:
    from muzero.bench.search import SearchRow

    Algorithm = str
else:
    Algorithm = Literal[ALGORITHMS]

EXAMPLES = ("muzero bench search", "muzero bench search --shapes 256x50x18 --threads 1 2 --json -")
SIZES = ("trees", "simulations", "actions")
"""The numbers of a shape, by the names of the C++ search."""
SHAPES = ("256x50x18", "64x200x7", "64x200x82", "16x800x362", "1x800x7")


@dataclass(frozen=True)
class Arguments:
    """Measure only the tree search, in CPU time of the whole process and, with several threads, in wall-clock time."""

    shapes: tuple[str, ...] = SHAPES
    """Trees x simulations x actions."""
    algorithm: tuple[Algorithm, ...] = ALGORITHMS
    threads: tuple[int, ...] = (1,)
    """Threads among which a search divides its trees."""
    seconds: float = 1.0
    """Seconds for each row."""
    json: Maybe[str] = None
    """Also write the figures here, with command, versions and hardware; - for standard output, without the table."""


def measure(arguments: Arguments) -> Found:
    """Every shape with every algorithm and number of threads."""
    for threads in arguments.threads:
        check_between("--threads", threads, (1, BOUNDS["search.threads"][1]))
    sizes = [numbers(text) for text in arguments.shapes]
    from muzero.bench import search as tree
    from muzero.bench.memory import free_bytes
    from muzero.bench.tables import SEARCH

    shapes = [tree.Shape(*three) for three in sizes]
    for shape in shapes:
        for algorithm in arguments.algorithm:
            refuse_too_large(f"--shapes {shape} ({algorithm})", tree.memory_needed(shape, algorithm),
                             free_bytes(), "use fewer trees, simulations or actions")
    rows = [tree.measure(shape, algorithm, threads, arguments.seconds)
            for shape in shapes for algorithm in arguments.algorithm for threads in arguments.threads]
    best = best_threads(rows) if len(arguments.threads) > 1 else ()
    return Found(rows, SEARCH.lines(rows), best, {"best": best})


def best_threads(rows: Sequence[SearchRow]) -> tuple[str, ...]:
    """For each shape and algorithm, the smallest number of threads that is about as fast as any."""
    rates: dict[str, dict[int, float]] = {}
    for row in rows:
        name = f"{row.algorithm} {row.trees}x{row.simulations}x{row.actions}"
        rates.setdefault(name, {})[row.threads] = row.simulations_per_second
    return tuple(f"best for {name}: --search.threads {fewest(rate)}" for name, rate in rates.items())


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
