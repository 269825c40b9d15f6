"""Tests of single moves against exact values: every position of a small game, or the positions of a file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import games as engines
from games.exact import exact
from games.solver import Solver
from muzero.evaluation.progress import Ticker, solve_aloud
from muzero.evaluation.subject import Subject
from muzero.view.console import DAMAGED, CommandError, log, tell
from muzero.view.terminal import table
from selfplay.strength.perfect import keeps_value
from selfplay.strength.positions import Quality, choose, judge, read

if TYPE_CHECKING:
    from selfplay.players import Player


def every_position(subject: Subject) -> dict[str, Any]:
    """Every reachable decision position of a small game: without search, and at each number of simulations."""
    players = _players(subject)
    solver = exact(subject.game)
    if not isinstance(solver, Solver):
        raise CommandError(f"{subject.game} has too many positions to visit every one; its exact values are known all "
                           "the same: --against perfect, or --positions FILE")
    solve_aloud(solver)
    log(f"asking {', '.join(player.name for player in players)} ...")
    progress = Ticker("asked about")
    reports = dict(zip((player.name for player in players), keeps_value(players, solver, progress), strict=True))
    tell(f"{subject.game}: every position with a move to choose, seed {subject.seed}\n")
    rows = [
        (name, f"{r.positions:,}", f"{r.lose_value:,}", f"{1 - r.lose_value / r.positions:.2%}")
        for name, r in reports.items()
    ]
    tell(table(("player", "positions", "lose value", "keep value"), rows))
    for name, r in reports.items():
        tell(f"\n{name}\n{_quality_table(r.qualities)}")
        for first in r.first_lapses[:1]:
            tell(f"first lapse: after {list(first.history)} it plays {first.action}, worth {first.got:+g} "
                 f"where {first.value:+g} was to be had")
    tell(f"\n{_legend(solver.timed)}")
    return {
        "protocol": "every reachable decision position, the move as in play, against exact values",
        "every_position": [{"player": name, **dataclasses.asdict(r)} for name, r in reports.items()],
    }


def _players(subject: Subject) -> list[Player]:
    """A player for each number of simulations; of an agent also the network alone."""
    wanted = list(subject.simulations)
    if subject.agent is not None and 0 not in wanted:
        wanted.insert(0, 0)
    return [subject.player(simulations) for simulations in wanted]


def known_positions(subject: Subject, path: Path) -> dict[str, Any]:
    """Positions of a file: without search, and at each number of simulations."""
    try:
        positions = read(path, subject.game)
    except engines.GameError as error:
        raise CommandError(str(error), DAMAGED) from error
    found: dict[str, list[Quality]] = {}
    for player in _players(subject):
        log(f"asking {player.name} ...")
        found[player.name] = judge(positions, choose(player, positions))
    tell(f"{subject.game}: {len(positions)} positions of {path}, seed {subject.seed}\n")
    for name, qualities in found.items():
        tell(f"{name}\n{_quality_table(qualities)}\n")
    tell(_legend(positions.timed))
    return {
        "protocol": f"one move in each of {len(positions)} positions with exact scores: {path}",
        "positions": {name: [dataclasses.asdict(q) for q in found[name]] for name in found},
    }


def _quality_table(qualities: Sequence[Quality]) -> str:
    timed = not math.isnan(qualities[0].perfect)
    rows = [
        (q.label, f"{q.positions:,}", f"{q.critical:,}", f"{q.critical_keep:.1f}" if q.critical else "-",
         f"{q.keep:.1f}",
         *([f"{q.perfect:.1f}"] if timed else []), f"{q.value_lost:.3f}")
        for q in qualities
    ]
    header = ("plies", "positions", "critical", "critical keep %", "keep %", *(["perfect %"] if timed else []),
              "value lost")
    return table(header, rows)


def _legend(timed: bool) -> str:
    if timed:
        return "critical: some legal move loses value; perfect: the best score; value lost: 2 from win to loss"
    return "critical: some legal move loses value; value lost: mean of the returns lost"
