"""`muzero inspect AGENT`: one position as the network and the search of an agent see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from muzero.commands.arguments import Maybe, PlannerName, load_agent, parse
from muzero.commands.bounds import check_between, check_numbers
from muzero.commands.players import named_simulations
from muzero.reports.files import check_target, write, write_json
from muzero.view.console import OK, USAGE, CommandError, reader_may_leave

if TYPE_CHECKING:
    from muzero.agent import Agent
    from muzero.inspection.position import PositionReport

EXAMPLES = (
    'muzero inspect connect_four --moves "4 4 3"',
    "muzero inspect connect_four@50 --depth 4 --out tree.html tree.svg",
    "muzero inspect connect_four --imagine pv    # what its model imagines",
    "muzero inspect connect_four --model         # how far ahead its model is good",
)
KINDS = (".html", ".svg", ".dot")
"""Endings of the files that `muzero.reports.inspection.drawn` makes."""
OR_ENDINGS = f"a name that ends in {', '.join(KINDS[:-1])} or {KINDS[-1]}"
EXPECTED_LINE = "pv"
"""Stands for the moves of the principal variation."""
MOST = 1_000_000
"""Simulations of a tree that is looked at."""
LIMITS = {"depth": (1, 10), "children": (1, 100), "nodes": (1, 100_000)}


@dataclass(frozen=True)
class Arguments:
    """Show what an agent thinks of a position: network, search tree, imagination."""

    agent: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="AGENT")]]
    """A game with a shipped agent, or the folder of a run or checkpoint. AGENT@N: with N simulations."""
    model: bool = False
    """How far ahead its model is good, instead; --plot, --positions and more: `muzero inspect --model --help`."""
    moves: str = ""
    """Moves that lead to the position, as in `muzero play`: "4 4 3". With | between them where names have spaces."""
    imagine: Maybe[str] = None
    """Show the imagined board beside the real one after each of these moves: "2 4"; pv: the expected line."""
    out: Annotated[tuple[Path, ...] | None, tyro.conf.arg(metavar="FILE ...", help_behavior_hint="")] = None
    """Draw the tree: FILE.html (a page), FILE.svg, FILE.dot."""
    depth: int = 3
    """Moves ahead in text and pictures."""
    children: int = 3
    """Replies in each position in text and pictures."""
    nodes: int = 1000
    """Nodes on pages and as JSON, the most visited."""
    simulations: Maybe[int] = None
    """Simulations of the search (default: the agent's; 0: no search)."""
    planner: PlannerName = None
    """Planner: gumbel, puct, policy, one_step, shooting or cem (default: the agent's)."""
    seed: int = 0
    """Seed of chance events and of the search."""
    own_game: Maybe[str] = None
    """Run the code of the own game, FILE.py:Class."""
    json: Maybe[Path] = None
    """Also write the numbers, with provenance."""


def run(argv: Sequence[str]) -> int:
    """Search, print and write."""
    arguments = parse(Arguments, argv, "muzero inspect", EXAMPLES)
    check(arguments)
    name, own = named_simulations(arguments.agent, arguments.simulations is not None)
    simulations = arguments.simulations if own is None else own
    check_between("--simulations", simulations or 0, (0, MOST))
    agent = load_agent(name, arguments.own_game, planner=arguments.planner)
    from muzero.evaluation.provenance import provenance
    from muzero.reports import as_json, terminal
    from muzero.reports.inspection.drawn import drawn

    found = report(agent, arguments, simulations)
    with reader_may_leave():
        terminal.show(found)
    for file in arguments.out or ():
        write(file, drawn(found, file.suffix).encode(), "--out ")
    if arguments.json is not None:
        write_json(arguments.json, {**provenance(["inspect", *argv]), **as_json.content(found)})
    return OK


def check(arguments: Arguments) -> None:
    """Refuse numbers out of bounds and files that can't be written. Raises CommandError (usage)."""
    for name, allowed in LIMITS.items():
        check_between(f"--{name}", getattr(arguments, name), allowed)
    check_numbers(vars(arguments))
    check_target(arguments.json)
    if arguments.out == ():
        raise CommandError(f"--out: expected {OR_ENDINGS}, got none", USAGE)
    for file in arguments.out or ():
        check_target(file, "--out")
        if file.suffix not in KINDS:
            raise CommandError(f"--out {file}: expected {OR_ENDINGS}", USAGE)


def report(agent: Agent, arguments: Arguments, simulations: int | None) -> PositionReport:
    """Search the position. Raises CommandError for moves that can't be made, and for pictures of no tree."""
    from muzero.commands.inspect import moves
    from muzero.inspection import position

    effort = agent.simulations if simulations is None else simulations
    missing = position.no_tree(agent.config.play.algorithm if effort else "")
    if arguments.out and missing:
        raise CommandError(f"--out {arguments.out[0]}: {missing}", USAGE)
    reached = moves.reach(agent.spec.name, arguments.moves, arguments.seed)
    asked = arguments.imagine
    given = None if asked is None or asked == EXPECTED_LINE else moves.imagined(reached, asked)
    found = position.look(agent, reached, simulations, arguments.seed)
    line = found.expected() if asked == EXPECTED_LINE else given
    return position.report(found, position.Limits(arguments.depth, arguments.children, arguments.nodes), line)
