"""`muzero play GAME`: play against an agent in the terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from games.own_names import short_name
from muzero.commands.arguments import Maybe, PlannerName, load_agent, parse
from muzero.commands.bounds import check_numbers
from muzero.commands.play.dialogue import Dialogue
from muzero.commands.players import named_simulations
from muzero.play.session import Session, Thinker
from muzero.view.console import OK, USAGE, CommandError, tell
from muzero.view.terminal import ink, printable, unicode_ok

EXAMPLES = (
    "muzero play tic_tac_toe",
    "muzero play connect_four --seat second --simulations 400",
    "muzero play checkpoints/runs/tic_tac_toe     # the newest checkpoint of a run",
    "muzero play connect_four --watch             # the agent plays both sides",
    "muzero play checkpoints/runs/atari_pong      # watch it, step by step or continuously",
)
LEAVE = ("quit", "q", "exit")
LONGEST = 1_000
"""Most characters in a line of piped input."""


@dataclass(frozen=True)
class Arguments:
    """Play against an agent. During the game `?` lists what you can type."""

    agent: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="AGENT")]]
    """A game with a shipped agent, or the folder of a run or checkpoint; AGENT@N is short for --simulations N."""
    seat: Literal["first", "second"] = "first"
    """Whether you make the first move."""
    simulations: Maybe[int] = None
    """Simulations per search (default: the agent's). More is stronger and slower; 0: no search, the network's most
    probable move."""
    planner: PlannerName = None
    """How the agent plans: gumbel, puct, policy, one_step, shooting or cem (default: the agent's)."""
    seed: int = 0
    """Seed of chance events and of the search."""
    own_game: Maybe[str] = None
    """Trust the user's own game (FILE.py:Class) that the run was trained on: its Python code runs."""
    watch: bool = False
    """Watch the agent play both sides."""


def run(argv: Sequence[str]) -> int:
    """Play until the user quits."""
    arguments = parse(Arguments, argv, "muzero play", EXAMPLES)
    check_numbers(vars(arguments))
    name, own = named_simulations(arguments.agent, arguments.simulations is not None)
    arguments = dataclasses.replace(arguments, simulations=arguments.simulations if own is None else own)
    agent = load_agent(name, arguments.own_game, planner=arguments.planner)
    read: Callable[[str], str] = piped
    if sys.stdin.isatty():
        read = input
        # Line editing and history at the prompt.
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")
    if agent.spec.players == 1 and agent.spec.pictures:
        from muzero.commands.play.watch import watch

        with left():
            watch(agent, arguments.seed, arguments.simulations, lambda text: ask(read, text))
        return OK
    return sit_down(agent, arguments, read)


def sit_down(agent: Thinker, arguments: Arguments, read: Callable[[str], str] = input) -> int:
    """Run a session on this terminal. `read` returns a line for a prompt, or raises EOFError."""
    session = Session(
        agent,
        first=arguments.seat == "first",
        watch=arguments.watch,
        simulations=arguments.simulations,
        seed=arguments.seed,
    )
    dialogue = Dialogue(session, ink(sys.stdout), unicode_ok(sys.stdout))
    with left():
        keys = "Ctrl-C stops" if session.person is None else "? for help"
        say(f"{short_name(session.spec.name)}   {dialogue.legend()}   {keys}\n")
        converse(dialogue, read)
    return OK


@contextlib.contextmanager
def left() -> Iterator[None]:
    """Treats Ctrl-D, Ctrl-C and the end of piped input as quitting."""
    try:
        yield
    except (EOFError, KeyboardInterrupt):
        say("\nbye")


def converse(dialogue: Dialogue, read: Callable[[str], str]) -> None:
    """Alternate moves until the user quits. Raises EOFError at the end of input."""
    session, changed = dialogue.session, True
    while True:
        if changed and (session.person is None or not session.agent_to_move):
            say(dialogue.picture() + "\n")
        if changed and session.over:
            say(dialogue.outcome())
            if session.person is None:
                return
        changed = True
        if session.agent_to_move:
            say(dialogue.think() + "\n")
            continue
        text = ask(read, "again (a), undo (u) or quit (q)> " if session.over else "your move> ")
        if text.lower() in LEAVE:
            say("bye")
            return
        changed, said = dialogue.answer(text)
        if said:
            say(said)


def ask(read: Callable[[str], str], text: str) -> str:
    """One line from the user, echoed to the output if the input isn't a terminal."""
    line = read(text).strip()
    if not sys.stdin.isatty():
        say(printable(line))
    return line


def piped(prompt: str) -> str:
    """One line of piped input, such as a file. Raises EOFError at its end."""
    print(prompt, end="", flush=True)
    line = sys.stdin.readline(LONGEST + 1)
    if not line:
        raise EOFError
    if len(line) > LONGEST:
        raise CommandError(f"input: expected one move per line, got a line of more than {LONGEST:,} characters", USAGE)
    return line.removesuffix("\n")


def say(text: str) -> None:
    """Print a line of output."""
    tell(text)
