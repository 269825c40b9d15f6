"""`muzero bench search|selfplay|learn|games`: how fast this machine is, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from games.naming import nearest
from muzero.commands.arguments import HELP, parse
from muzero.commands.bench import games, learn, search, selfplay
from muzero.commands.bench.found import Found, show
from muzero.commands.bench.options import check
from muzero.view.console import OK, USAGE, CommandError, tell
from muzero.view.overview import overview


@dataclass(frozen=True)
class Bench:
    """One kind of benchmark."""

    about: str
    arguments: type[Any]
    measure: Callable[[Any], Found]
    examples: tuple[str, ...]


KINDS = {
    "search": Bench("only the tree search, with a stub in place of the network",
                    search.Arguments, search.measure, search.EXAMPLES),
    "selfplay": Bench("one actor with an untrained network; the best number of games",
                      selfplay.Arguments, selfplay.measure, selfplay.EXAMPLES),
    "learn": Bench("learning steps on a replay of random games",
                   learn.Arguments, learn.measure, learn.EXAMPLES),
    "games": Bench("only the games, under random moves",
                   games.Arguments, games.measure, games.EXAMPLES),
}


def run(argv: Sequence[str]) -> int:
    """Measure, print the table, write the JSON."""
    if not argv or argv[0] in HELP:
        tell(help_text())
        return OK if argv else USAGE
    name, *rest = argv
    if name not in KINDS:
        raise CommandError(f"bench: expected one of {', '.join(KINDS)}, got {name!r}{nearest(name, KINDS)}", USAGE)
    bench = KINDS[name]
    arguments = parse(bench.arguments, rest, f"muzero bench {name}", bench.examples)
    check(arguments)
    show(name, argv, bench.measure(arguments), arguments.json)
    return OK


def help_text() -> str:
    """The text of `muzero bench --help`."""
    examples = (line for bench in KINDS.values() for line in bench.examples)
    return overview("muzero bench", "kind", "Measure this machine.",
                    {name: bench.about for name, bench in KINDS.items()}, examples)
