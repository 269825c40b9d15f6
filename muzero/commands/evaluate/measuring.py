"""From the arguments of a mode to its results: finds, checks and loads the player, prints and writes the reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from games.own_names import canonical, is_own, same_game
from muzero.commands.arguments import find_agent, game_spec, load_agent
from muzero.commands.evaluate.options import Common
from muzero.commands.players import check_player, named_simulations, stored_game
from muzero.config.kinds import PLANNERS
from muzero.view.console import OK, USAGE, CommandError, reader_may_leave

if TYPE_CHECKING:
    from games.base import GameSpec
    from muzero.evaluation.subject import Subject


SHARE_OF_NOISE = "dirichlet_fraction"
"""The noise setting that is a fraction."""


@dataclass(frozen=True)
class Who:
    """The player that a command names."""

    agent: str
    """the agent, or the game in which another player is measured"""
    common: Common
    simulations: int | tuple[int, ...] | None = None
    """per search; None or (): the agent's default"""
    player: str | None = None
    """another player, in place of an agent"""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All numbers of simulations; empty: the agent's default."""
        if self.simulations is None:
            return ()
        return self.simulations if isinstance(self.simulations, tuple) else (self.simulations,)


@dataclass(frozen=True)
class Found:
    """The player to measure, found but not loaded."""

    name: str
    """the agent's name without @N, or the game's if another player is measured"""
    game: str
    """canonical name"""
    simulations: tuple[int, ...]
    """numbers to measure with; empty: the agent's default"""


def run(
    who: Who, argv: Sequence[str], measure: Callable[[Subject], Iterable[object]],
    check_game: Callable[[GameSpec], None] | None = None,
) -> int:
    """Measure, print each report as it is made, and write the JSON.

    check_game: refuses a game that doesn't suit the mode. Raises CommandError for anything that can't be measured,
    before an agent is loaded.
    """
    found = find(who)
    spec = spec_of(found.game, who)
    if check_game is not None and spec is not None:
        check_game(spec)
    subject = load(found, who)
    from muzero.reports import as_json, terminal
    from muzero.reports.files import keep, write_json

    reports = []
    for report in measure(subject):
        reports.append(report)
        with reader_may_leave():
            terminal.show(report)
    # The stored measurement has the figures without the film, which comes first.
    content = as_json.document(subject, argv, *reversed(reports))
    if who.common.json is not None:
        write_json(who.common.json, content)
    if subject.agent is not None and "returns" in content:
        keep(found.name, as_json.document(subject, argv, reports[-1]))
    return OK


def find(who: Who) -> Found:
    """The player to measure. Loads nothing. Raises CommandError for an unknown name or two numbers of simulations."""
    if who.player is not None:
        return _find_player(who.agent, who.player, who.numbers)
    name, own = named_simulations(who.agent, bool(who.numbers))
    folder = find_agent(name)
    _check_noise(folder, who.common)
    return Found(name, stored_game(folder), who.numbers if own is None else (own,))


def _find_player(game: str, player: str, asked: tuple[int, ...]) -> Found:
    """A player other than an agent, in the game named first."""
    name = game_spec(game).name
    said = check_player("--player", player, name)
    if said.kind == "agent" and said.simulations is not None and asked:
        raise CommandError(f"--player {player} has its own number of simulations: leave out --simulations", USAGE)
    return Found(name, name, asked)


def _check_noise(folder: Path, common: Common) -> None:
    """Refuse a fraction of Dirichlet noise above 1. Raises CommandError (usage)."""
    from muzero.storage.checkpoint import read_config

    noise = common.noise
    # Not a number is refused with other numbers out of bounds.
    if noise is None or not noise > 1.0:
        return
    if PLANNERS[common.planner or read_config(folder).play.algorithm].noise == SHARE_OF_NOISE:
        raise CommandError(f"--noise: expected 0 to 1, the fraction of Dirichlet noise in the prior, got {noise:g}",
                           USAGE)


def spec_of(game: str, who: Who) -> GameSpec | None:
    """The spec of the game; None for an own game whose code may not run: loading its agent refuses it."""
    if not is_own(game) or who.player is not None:
        return game_spec(game)
    trusted = who.common.own_game
    return game_spec(trusted) if trusted is not None and same_game(game, canonical(trusted)) else None


def load(found: Found, who: Who) -> Subject:
    """Load the player. Raises what `muzero.commands.arguments.load_agent` raises."""
    from muzero.evaluation.subject import Subject

    common = who.common
    agent = None if who.player is not None else load_agent(found.name, common.own_game, common.noise, common.planner)
    return Subject(
        game=found.game if agent is None else agent.spec.name,
        agent=agent,
        player_text=who.player or "",
        simulations=tuple(dict.fromkeys(found.simulations)) or (None,),
        seed=who.common.seed,
    )
