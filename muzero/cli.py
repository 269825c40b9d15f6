"""`muzero COMMAND ...`: finds the command, and turns every expected error into one message and an exit code.

Heavy modules are imported only when a command needs them, so that help and usage errors appear at once.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

from muzero import packages
from muzero.errors import FAILURE, INTERRUPTED, OK, USAGE, MuZeroError
from muzero.view.console import CommandError, log, reader_left, silence, tell
from muzero.view.overview import overview
from muzero.view.terminal import printable

COMMANDS = {
    "train": "train an agent on a game, or resume a run",
    "play": "play against an agent in the terminal",
    "evaluate": "measure an agent against opponents, perfect play or solved positions",
    "inspect": "show what an agent thinks of a position, or how good its model is",
    "games": "list the games that can be played",
    "doctor": "check this machine and this installation",
    "bench": "measure this machine: search, self-play, learning, games",
}
EXAMPLES = (
    "muzero play tic_tac_toe",
    "muzero train connect_four --minutes 30",
    "muzero evaluate match connect_four --against mcts:1000 --games 100",
    "muzero train --help",
)
MORE = """MUZERO_DEBUG=1 shows the traceback of an error.

exit codes: 0 done, 1 failed (also: a game without an agent yet), 2 a mistake in the command, 3 damaged data,
130 interrupted"""
LOWER = {
    "train": "--replay.capacity, --selfplay.games, --search.simulations, --model.width or --learner.batch",
    "play": "--simulations",
    "evaluate": "--simulations or --games",
    "inspect": "--simulations, or with --model --positions or --depth",
    "bench": "--games, --simulations, --batch or the shape",
}
"""Options that determine the memory of a command."""
TOO_LARGE = ("allocate memory", "out of memory", "overflowed with sizes", "array is too big", "allowed dimension")
"""Messages of torch and numpy that mean a MemoryError."""


def help_text() -> str:
    """The text of `muzero --help`."""
    about = "MuZero for board games and more: train, play and measure agents that learn a model of the game."
    return overview("muzero", "command", about, COMMANDS, EXAMPLES,
                    more=MORE)


def dispatch(argv: Sequence[str]) -> int:
    """Run one command. Raises whatever it raises."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        tell(help_text())
        return OK if argv else USAGE
    if argv[0] == "--version":
        from muzero.evaluation.provenance import versions

        print(f"muzero-engine {versions()['muzero-engine']}")
        return OK
    if unusable := next((word for word in argv if "\0" in word), None):
        raise CommandError(f"expected words without NUL characters, got {unusable!r}", USAGE)
    name, *rest = argv
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CommandError(f"no command {name!r}{hint}\n  commands: {', '.join(COMMANDS)}", USAGE)
    command = importlib.import_module(f"muzero.commands.{name}")
    return int(command.run(rest))


def main(argv: Sequence[str] | None = None) -> int:
    """The `muzero` script. Returns the exit code: 0 ok, 1 failure, 2 usage, 3 damaged data, 130 interrupted."""
    open_streams()
    packages.put_first()
    words = sys.argv[1:] if argv is None else argv
    code = answer(words)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        if code == OK:
            log(f"error: {explain(error, words)}")
            return FAILURE
    return code


def open_streams() -> None:
    """Make sure that all three standard streams exist, even if the parent closed some, and can encode any text."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def answer(argv: Sequence[str]) -> int:
    """Run one command; every expected error becomes a message and an exit code."""
    try:
        return dispatch(argv)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else FAILURE
    except KeyboardInterrupt:
        log("\ninterrupted")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and reader_left(sys.stdout):
            # Not an error: the reader of our output has seen enough.
            return OK
        message = explain(error, argv)
        if message is None or os.environ.get("MUZERO_DEBUG") == "1":
            raise
        log(f"error: {printable(message)}")
        return exit_code(error)


def explain(error: Exception, argv: Sequence[str]) -> str | None:
    """The message for an expected error; None for a bug, whose traceback is shown.

    Expected errors are the project's own, those of files and streams, and running out of memory.
    """
    if ours(error):
        return "\n  before that: ".join([str(error), *before(error)])
    first = next(iter(str(error).splitlines()), "")
    if out_of_memory(error):
        lower = LOWER.get(argv[0] if argv else "")
        return f"not enough memory{f' ({first})' if first else ''}{f'; lower {lower}' if lower else ''}"
    if isinstance(error, OSError):
        said = error.strerror or first or type(error).__name__
        named = isinstance(error.filename, (str, bytes))
        return f"{os.fsdecode(error.filename)}: {said}" if named else f"input or output failed: {said}"
    return None


def ours(error: BaseException) -> bool:
    """True for the project's own errors. Those of games, tree and self-play, which don't import muzero, are recognised
    by their package."""
    return isinstance(error, MuZeroError) or type(error).__module__.partition(".")[0] in packages.BELOW


def before(error: BaseException) -> list[str]:
    """The errors during whose handling `error` was raised, as when a game fails and then can't be closed. An error
    raised from another one already includes that one's message."""
    found: list[str] = []
    step: BaseException | None = error
    while step is not None:
        made_from = step.__cause__ is not None or step.__suppress_context__
        step = step.__cause__ if made_from else step.__context__
        if step is not None and not made_from and ours(step):
            found.append(str(step))
    return found


def out_of_memory(error: Exception) -> bool:
    """True if an allocation failed, or a size was requested that no allocator accepts."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = isinstance(error, (RuntimeError, ValueError)) and any(words in str(error) for words in TOO_LARGE)
    return said or isinstance(error, MemoryError)


def exit_code(error: Exception) -> int:
    """The exit code of an expected error."""
    return error.exit_code if isinstance(error, MuZeroError) else FAILURE


if __name__ == "__main__":
    sys.exit(main())
