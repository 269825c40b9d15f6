"""`muzero COMMAND ...`: finds the command, and turns every expected error into one message and an exit code.

Nothing heavy is imported before a command asks for it, so that help and mistakes answer at once.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from muzero.commands.console import DAMAGED, FAILURE, INTERRUPTED, OK, USAGE, CommandError, log

COMMANDS = {
    "train": "train an agent on a game, or go on with a run",
    "play": "play against an agent in the terminal",
    "evaluate": "measure an agent against opponents, perfect play or solved positions",
    "games": "list the games that can be played",
    "doctor": "check this machine and this installation",
}
EXAMPLES = (
    "muzero play tic_tac_toe",
    "muzero train connect_four --minutes 30",
    "muzero evaluate connect_four --against mcts:1000 --games 100",
    "muzero train --help",
)
OWN_PACKAGES = ("muzero", "games", "selfplay", "cpp_mcts", "checkpoints")


def overview() -> str:
    """What `muzero --help` says."""
    commands = "\n".join(f"  {name:<10}{does}" for name, does in COMMANDS.items())
    examples = "\n".join(f"  {line}" for line in EXAMPLES)
    return (
        "usage: muzero COMMAND [OPTIONS]\n\n"
        "MuZero for board games and more: train, play and measure agents that learn a model of the game.\n\n"
        f"commands:\n{commands}\n\n"
        "`muzero COMMAND --help` tells more. MUZERO_DEBUG=1 shows where an error came from.\n\n"
        f"examples:\n{examples}"
    )


def dispatch(argv: Sequence[str]) -> int:
    """Run one command. Raises whatever it raises."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return OK if argv else USAGE
    if argv[0] == "--version":
        from muzero.commands.provenance import versions

        print(f"muzero-engine {versions()['muzero-engine']}")
        return OK
    name, *rest = argv
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CommandError(f"no command {name!r}{hint}\n  commands: {', '.join(COMMANDS)}", USAGE)
    command = importlib.import_module(f"muzero.commands.{name}")
    return int(command.run(rest))


def main(argv: Sequence[str] | None = None) -> int:
    """The `muzero` script. Gives the exit code: 0 ok, 1 failure, 2 usage, 3 damaged data, 130 interrupted."""
    try:
        code = dispatch(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left: not an error, and nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else FAILURE
    except KeyboardInterrupt:
        log("\ninterrupted")
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("MUZERO_DEBUG") == "1" or not expected(error):
            raise
        log(f"error: {error}")
        return exit_code(error)
    return code


def expected(error: Exception) -> bool:
    """True for the project's own errors, which tell people something; any other is a defect, shown whole."""
    return type(error).__module__.partition(".")[0] in OWN_PACKAGES


def exit_code(error: Exception) -> int:
    """The exit code of an expected error."""
    if isinstance(error, CommandError):
        return error.code
    names = {kind.__name__ for kind in type(error).__mro__}
    if "Damaged" in names:
        return DAMAGED
    return USAGE if names & {"ConfigError"} else FAILURE


if __name__ == "__main__":
    sys.exit(main())
