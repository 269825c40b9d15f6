"""`muzero inspect AGENT --model`: how far ahead an agent's model may be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from muzero.commands.arguments import Maybe, load_agent, parse
from muzero.commands.bounds import check_numbers
from muzero.commands.players import named_simulations
from muzero.reports.files import check_plot, check_target, write_json
from muzero.view.console import OK, USAGE, CommandError, command, log, reader_may_leave

FLAG = "--model"
"""The option that makes this command of `muzero inspect`."""
EXAMPLES = (
    "muzero inspect connect_four --model",
    "muzero inspect checkpoints/runs/connect_four --model --depth 20 --plot model.svg",
)


@dataclass(frozen=True)
class Arguments:
    """Compare what an agent's model imagines, move by move, with what really follows in games.

    The games are made for it: in one part the agent's search moves, in another its policy network, in the third that
    too after one random move.
    """

    agent: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="AGENT")]]
    """A game with a shipped agent, or the folder of a run or checkpoint."""
    model: bool = False
    """Inspect the model instead of a position."""
    depth: Maybe[int] = None
    """Moves to imagine (default: twice as many as the model was trained on)."""
    positions: int = 400
    """Positions to begin from, for each source of moves."""
    seed: int = 0
    own_game: Maybe[str] = None
    """Run the Python code of the own game, FILE.py:Class."""
    plot: Maybe[Path] = None
    """Also draw it: .svg, .png or .pdf."""
    json: Maybe[Path] = None
    """Also write all numbers here, with their provenance."""


def run(argv: Sequence[str]) -> int:
    """Validate, print, draw and write."""
    arguments = parse(Arguments, argv, f"muzero inspect {FLAG}", EXAMPLES)
    check_numbers(vars(arguments))
    _check_name(arguments.agent)
    check_target(arguments.json)
    check_plot(arguments.plot)
    agent = load_agent(arguments.agent, arguments.own_game)
    from muzero.evaluation.provenance import provenance
    from muzero.reports import as_json, terminal
    from muzero.validation.validate import validate

    found = validate(agent, arguments.depth, arguments.positions, arguments.seed, log)
    with reader_may_leave():
        terminal.show(found)
    if arguments.plot is not None:
        from muzero.reports.model_plot import draw

        draw(found, arguments.plot)
    if arguments.json is not None:
        write_json(arguments.json, {**provenance(["inspect", *argv]), **as_json.content(found)})
    return OK


def _check_name(agent: str) -> None:
    """Raises CommandError (usage) for a number of simulations."""
    name, simulations = named_simulations(agent, given=False)
    if simulations is not None:
        raise CommandError(f"{agent}: expected an agent without a number of simulations, as {FLAG} looks at its model "
                           f"alone: {command('inspect', name, FLAG)}", USAGE)
