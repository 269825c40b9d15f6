"""Players named on a command line: checks their names before anything is loaded, and gives them short labels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from games.base import GameError
from games.own_names import is_own, same_game
from muzero.commands.arguments import find_agent, game_spec
from muzero.view.console import USAGE, CommandError
from selfplay.naming import PlayerName


def check_player(option: str, text: str, game: str) -> PlayerName:
    """Parse the name of a player of `game`. Raises CommandError (usage) with the nearest kind for an unknown name."""
    from muzero.players import read_name

    try:
        said = read_name(text)
    except GameError as error:
        raise CommandError(f"{option}: {error}", USAGE) from error
    if said.kind == "agent" and not same_game(plays := stored_game(find_agent(said.agent)), game):
        raise CommandError(f"{option}: {text} plays {plays}, not {game}", USAGE)
    return said


def named_simulations(text: str, given: bool) -> tuple[str, int | None]:
    """The agent and the number of simulations in `AGENT@N`; None without @N.

    given: whether an option gives the number too. Raises CommandError (usage).
    """
    from muzero.players import split_simulations

    try:
        name, own = split_simulations(text)
    except GameError as error:
        raise CommandError(str(error), USAGE) from error
    if own is not None and given:
        raise CommandError(f"{text} has its own number of simulations: leave out --simulations", USAGE)
    return name, own


def stored_game(folder: Path) -> str:
    """Canonical name of the game an agent plays. Doesn't run the code of a user's own game."""
    from muzero.storage.checkpoint import read_config

    game = read_config(folder).game
    return game if is_own(game) else game_spec(game).name


def short_names(texts: Iterable[str]) -> dict[str, str]:
    """The shortest tail of each path that is unique; other texts unchanged."""
    parts = {text: Path(text).parts if os.sep in text else (text,) for text in texts}
    short = {}
    for text, own in parts.items():
        length = 1
        while length < len(own) and any(
            other[-length:] == own[-length:] for rival, other in parts.items() if rival != text
        ):
            length += 1
        short[text] = os.sep.join(own[-length:])
    return short
