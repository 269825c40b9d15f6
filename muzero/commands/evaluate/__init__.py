"""`muzero evaluate MODE ...`: matches, tournaments, exact tests, episodes, films, and suites of measurements."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from muzero.commands.arguments import HELP, parse
from muzero.commands.evaluate import episodes, match, old_spellings, positions, suite, tournament, video
from muzero.storage.disk import named
from muzero.view.console import OK, USAGE, CommandError, tell
from muzero.view.overview import overview

EXAMPLES = (match.EXAMPLES[0], positions.EXAMPLES[0], tournament.EXAMPLES[0], episodes.EXAMPLES[0],
            video.EXAMPLES[0], suite.EXAMPLES[1])
NEAR = 0.7
"""Minimum similarity of a word to the mode name that it is taken to mean."""


@dataclass(frozen=True)
class Mode:
    """One kind of evaluation."""

    about: str
    arguments: type[Any]
    run: Callable[[Any, Sequence[str]], int]
    examples: tuple[str, ...]


MODES = {
    "match": Mode("play a match against random, mcts:N, perfect play or another agent",
                  match.Arguments, match.run, match.EXAMPLES),
    "tournament": Mode("rate several players in Elo by a round robin",
                       tournament.Arguments, tournament.run, tournament.EXAMPLES),
    "positions": Mode("compare moves with exact values: in every position, or those in a file",
                      positions.Arguments, positions.run, positions.EXAMPLES),
    "episodes": Mode("measure returns in a one-player game",
                     episodes.Arguments, episodes.run, episodes.EXAMPLES),
    "suite": Mode("combine measured Atari runs: IQM, median, mean, optimality gap",
                  suite.Arguments, suite.run, suite.EXAMPLES),
    "video": Mode("film one game of an agent that sees pixels",
                  video.Arguments, video.run, video.EXAMPLES),
}


def run(argv: Sequence[str]) -> int:
    """Measure in the mode named first; without one, read the command in the spelling from before modes."""
    mode = MODES.get(argv[0]) if argv else None
    if mode is not None:
        arguments = parse(mode.arguments, argv[1:], f"muzero evaluate {argv[0]}", mode.examples)
        return mode.run(arguments, argv)
    if not argv or argv[0] in HELP:
        tell(help_text())
        return OK if argv else USAGE
    check_mode(argv[0])
    if any(flag in argv for flag in HELP):
        # The mode's own help has all options that the old spelling takes.
        return run([old_spellings.mode_meant(argv), HELP[-1]])
    name, arguments = old_spellings.read(argv)
    old_spellings.tell_new(name, arguments)
    return MODES[name].run(arguments, argv)


def help_text() -> str:
    """The text of `muzero evaluate --help`."""
    return overview("muzero evaluate", "mode", "Measure an agent, or other players of its game.",
                    {name: mode.about for name, mode in MODES.items()}, EXAMPLES,
                    more="Write ./NAME for a folder that has the name of a mode.")


def check_mode(word: str) -> None:
    """Refuse a word that looks like a mode and is neither a game nor an existing path. Raises CommandError (usage)."""
    near = difflib.get_close_matches(word, MODES, n=1, cutoff=NEAR)
    if near and not word.startswith("-") and not named(word).exists() and not _is_game(word):
        raise CommandError(f"no mode {word!r}; did you mean {near[0]!r}?\n  modes: {', '.join(MODES)}", USAGE)


def _is_game(word: str) -> bool:
    import games

    try:
        games.spec(word)
    except games.GameError:
        return False
    return True
