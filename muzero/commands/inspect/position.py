"""`muzero inspect AGENT`: one position as the network and the search of an agent see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from muzero.commands.arguments import Maybe, PlannerName, load_agent, parse
from muzero.commands.bounds import check_numbers
from muzero.commands.players import named_simulations
from muzero.reports.files import check_target, write_json
from muzero.view.console import OK

EXAMPLES = (
    'muzero inspect connect_four --moves "4 4 3"',
    "muzero inspect connect_four --model                # how far ahead its model is good",
)


@dataclass(frozen=True)
class Arguments:
    """Show what an agent thinks of a position."""

    agent: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="AGENT")]]
    """A game with a shipped agent, or the folder of a run or checkpoint. AGENT@N: with N simulations."""
    moves: str = ""
    """Moves that lead to the position, as in `muzero play`: "4 4 3". With | between them where names have spaces."""
    simulations: Maybe[int] = None
    """Simulations of the search (default: the agent's; 0: no search)."""
    planner: PlannerName = None
    """Planner: gumbel, puct, ... (default: the agent's)."""
    seed: int = 0
    """Seed of chance events and of the search."""
    own_game: Maybe[str] = None
    """Run the Python code of the own game, FILE.py:Class."""
    json: Maybe[Path] = None
    """Also write all numbers here, with their provenance."""


def run(argv: Sequence[str]) -> int:
    """Search, print and write."""
    arguments = parse(Arguments, argv, "muzero inspect", EXAMPLES)
    check_numbers(vars(arguments))
    check_target(arguments.json)
    name, own = named_simulations(arguments.agent, arguments.simulations is not None)
    agent = load_agent(name, arguments.own_game, planner=arguments.planner)
    from muzero.commands.inspect.moves import reach
    from muzero.evaluation.provenance import provenance
    from muzero.inspection.position import look, report
    from muzero.reports import as_json, terminal

    reached = reach(agent.spec.name, arguments.moves, arguments.seed)
    found = report(look(agent, reached, arguments.simulations if own is None else own, arguments.seed))
    terminal.show(found)
    if arguments.json is not None:
        write_json(arguments.json, {**provenance(["inspect", *argv]), **as_json.content(found)})
    return OK
