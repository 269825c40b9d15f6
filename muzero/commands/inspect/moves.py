"""Moves given on a command line: the position that they lead to, or why they lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameBatch
from games.rows import released
from muzero.commands.play.refusals import refusal
from muzero.inspection.reached import Reached
from muzero.play.board import read_board
from muzero.play.moves import move_name, parse_move
from muzero.view.console import USAGE, CommandError

BAR = "|"
"""Separates moves whose names hold spaces."""
LONGEST_NAME = 8
"""Most words in the name of a move."""


def reach(game: str, text: str, seed: int) -> Reached:
    """The game after the moves in `text`. Raises CommandError (usage) that names the first one that can't be made, and
    for a game that is over then."""
    games = engines.make(game, 1, seed)
    names, before = [], None
    for action in actions(games, text, "--moves"):
        names.append(move_name(games, action))
        before = read_board(game, games.render(0))
        games.step(np.array([action], np.int32))
    if games.to_play()[0] == NO_PLAYER:
        raise CommandError(f"--moves: the game is over after {' '.join(names)}: leave out the last move, as there is "
                           "nothing to choose any more", USAGE)
    return Reached(games, tuple(names), before)


def actions(games: GameBatch, text: str, option: str) -> Iterator[int]:
    """The moves in `text` one after the other; whoever takes one makes it in row 0 of `games` before the next."""
    words = split(text)
    while words:
        yield _next(games, words, option)


def split(text: str) -> list[str]:
    """The words of moves, or whole moves if bars separate them."""
    return [part.strip() for part in text.split(BAR) if part.strip()] if BAR in text else text.split()


def _next(games: GameBatch, words: list[str], option: str) -> int:
    """The move that the first words name, which are taken away."""
    if games.to_play()[0] == NO_PLAYER:
        raise CommandError(f"{option}: the game is over before {words[0]!r}", USAGE)
    for count in range(1, min(LONGEST_NAME, len(words)) + 1):
        action = parse_move(games, " ".join(words[:count]))
        if action is not None:
            del words[:count]
            return action
    board = read_board(games.spec.name, games.render(0))
    raise CommandError(f"{option}: {refusal(games, board, words[0])}", USAGE)


def imagined(reached: Reached, text: str) -> list[int]:
    """The actions of a line to imagine. Moves that the rules allow come first where a name is ambiguous; others may be
    named too, as a model doesn't know the rules. Raises CommandError (usage) for a name that no action has."""
    games = reached.games
    found: list[int] = []
    with released(engines.make(games.spec.name, 1)) as copy:
        lost = bool(copy.restore(games.snapshot()))
        words = split(text)
        while words:
            position = games if lost else copy
            found.append(_any(position, games, words))
            if not lost and position.legal()[0, found[-1]]:
                copy.step(np.array(found[-1:], np.int32))
    return found


def _any(position: GameBatch, start: GameBatch, words: list[str]) -> int:
    """The action that the first words name, legal or not, which are taken away."""
    if position.to_play()[0] == NO_PLAYER:
        position = start
    for count in range(1, min(LONGEST_NAME, len(words)) + 1):
        typed = " ".join(words[:count])
        action = parse_move(position, typed)
        action = _by_name(position, typed) if action is None else action
        if action is not None:
            del words[:count]
            return action
    raise CommandError(f"--imagine: {refusal(position, None, words[0])}", USAGE)


def _by_name(games: GameBatch, typed: str) -> int | None:
    """The action of this name or `#number`, legal or not."""
    actions = range(games.spec.num_actions)
    numbered = typed[1:] if typed.startswith("#") else ""
    if numbered.isascii() and numbered.isdecimal() and len(numbered) < 9 and int(numbered) in actions:
        return int(numbered)
    return next((action for action in actions if move_name(games, action).lower() == typed.lower()), None)
