"""Single moves compared with exact values: in every position of a small game, or in the positions of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from games.base import GameError
from games.exact import exact
from games.solver import Solver
from muzero.evaluation.progress import solve_aloud
from muzero.storage.disk import Damaged
from muzero.view.waiting import Say, Ticker, silent
from selfplay.strength.perfect import KeepReport, keeps_value
from selfplay.strength.positions import Quality, choose, judge, read

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject
    from selfplay.players import Player


@dataclass(frozen=True)
class EveryPositionReport:
    """Moves in every reachable decision position of a small game: without search, and with each number of
    simulations."""

    game: str
    seed: int
    timed: bool
    """whether the exact scores distinguish a faster win from a slower one"""
    players: Mapping[str, KeepReport]
    """by name"""


@dataclass(frozen=True)
class PositionsReport:
    """Moves in the positions of a file: without search, and with each number of simulations."""

    game: str
    seed: int
    file: Path
    positions: int
    timed: bool
    """whether the exact scores distinguish a faster win from a slower one"""
    players: Mapping[str, Sequence[Quality]]
    """by name: over all positions, then by bands of plies"""


def every_position(subject: Subject, say: Say = silent) -> EveryPositionReport:
    """Judge the moves in every reachable decision position. Raises GameError for a game with chance or too large."""
    players = _players(subject)
    solver = exact(subject.game)
    if not isinstance(solver, Solver):
        raise GameError(f"{subject.game} has too many positions to visit them all; its exact values are known, though: "
                        "muzero evaluate match AGENT --against perfect, or positions AGENT --file FILE")
    solve_aloud(solver, say)
    say(f"asking {', '.join(player.name for player in players)} ...")
    reports = keeps_value(players, solver, Ticker("asked about", say))
    by_name = dict(zip((player.name for player in players), reports, strict=True))
    return EveryPositionReport(subject.game, subject.seed, solver.timed, by_name)


def known_positions(subject: Subject, path: Path, say: Say = silent) -> PositionsReport:
    """Judge the moves in the positions of a file. Raises Damaged for an invalid file."""
    try:
        positions = read(path, subject.game)
    except GameError as error:
        raise Damaged(str(error)) from error
    found: dict[str, list[Quality]] = {}
    for player in _players(subject):
        say(f"asking {player.name} ...")
        found[player.name] = judge(positions, choose(player, positions))
    return PositionsReport(subject.game, subject.seed, path, len(positions), positions.timed, found)


def _players(subject: Subject) -> list[Player]:
    """A player for each number of simulations; for an agent, also the network without search. Each once: a planner that
    never searches is the same with any number."""
    asked = list(subject.simulations)
    if subject.agent is not None and 0 not in asked:
        asked.insert(0, 0)
    players = [subject.player(simulations) for simulations in asked]
    return list({player.name: player for player in players}.values())
