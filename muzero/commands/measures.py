"""The measures behind `muzero evaluate`: each prints its table and gives the same figures as JSON values."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import games as engines
from muzero.commands.console import DAMAGED, USAGE, CommandError, log
from muzero.terminal import table
from selfplay.agents import SearchPlayer, parse
from selfplay.arena import Score, play_alone, play_match
from selfplay.perfect import KeepReport, keeps_value
from selfplay.positions import Quality, choose, judge, read
from selfplay.statistics import mean_interval, score_interval, wilson

if TYPE_CHECKING:
    from muzero.agent import Agent
    from selfplay.agents import Player

AGENT_OPENINGS = 2
"""Random opening moves between two agents: without noise they would play the same game again and again."""


@dataclass(frozen=True)
class Subject:
    """What is measured: an agent, or another player in its place."""

    game: str
    agent: Agent | None
    player_text: str
    """`random`, `mcts:N`, ... where there is no agent."""
    simulations: tuple[int | None, ...]
    """Numbers of simulations to measure at; None = the player's own."""
    seed: int

    def player(self, simulations: int | None) -> Player:
        """A new player at one number of simulations, so that results don't hang on what came before."""
        if self.agent is not None:
            return SearchPlayer(self.agent, simulations, self.seed)
        return parse(self.player_text, self.game, self.seed, simulations)


def match(subject: Subject, against: str | None, games: int, plies: int | None) -> dict[str, Any]:
    """A match after `plies` random moves (None: as suits the players), or the returns of a one-player game."""
    facts = engines.spec(subject.game)
    if facts.players == 1:
        if against is not None or plies is not None:
            raise CommandError(f"--against and --opening-plies make no sense in {facts.name}: it has one player, "
                               "whose returns are measured", USAGE)
        return _alone(subject, games)
    if games % 2:
        raise CommandError(f"--games: an even number wanted, the same for both seats; got {games}", USAGE)
    player = subject.player(subject.simulations[0])
    opponent = parse(against or "random", subject.game, subject.seed + 1, subject.simulations[0])
    if plies is None:
        two_agents = isinstance(player, SearchPlayer) and isinstance(opponent, SearchPlayer)
        plies = AGENT_OPENINGS if two_agents and not facts.stochastic else 0
    log(f"playing {games} games ...")
    result = play_match(subject.game, player, opponent, games, subject.seed, plies)
    rows = {"moving first": result.moving_first, "moving second": result.moving_second, "both": result.total}
    openings = f", {plies} random opening moves, each opening from both seats" if plies else ""
    print(f"{result.game}: {result.player} against {result.opponent}, seed {result.seed}{openings}\n")
    header = ("", "games", "won", "drawn", "lost", "score", "95 % interval")
    print(table(header, [_score_row(name, score) for name, score in rows.items()]))
    print(f"\n{result.different} different games, {result.mean_length:.1f} moves on average.\n"
          "score: wins + draws / 2; its interval: the score test's (Wilson's where nothing is drawn)")
    return {
        "protocol": f"match, both seats equally often, {plies} random opening plies",
        "match": dataclasses.asdict(result),
        "scores": {name.replace(" ", "_"): _score_json(score) for name, score in rows.items()},
    }


def _score_row(name: str, score: Score) -> tuple[str, ...]:
    low, high = score_interval(score.wins, score.draws, score.losses)
    counts = (score.games, score.wins, score.draws, score.losses)
    return name, *map(str, counts), f"{score.share:.1%}", f"{low:.1%} to {high:.1%}"


def _score_json(score: Score) -> dict[str, Any]:
    return {
        **dataclasses.asdict(score),
        "score": score.share,
        "score_interval_95": score_interval(score.wins, score.draws, score.losses),
        "wins_wilson_95": wilson(score.wins, score.games),
        "losses_wilson_95": wilson(score.losses, score.games),
    }


def _alone(subject: Subject, games: int) -> dict[str, Any]:
    log(f"playing {games} games ...")
    result = play_alone(subject.game, subject.player(subject.simulations[0]), games, subject.seed)
    low, high = mean_interval(result.mean, result.deviation, result.games)
    print(f"{result.game}: {result.player}, {result.games} games, seed {result.seed}\n")
    header = ("mean return", "95 % interval", "deviation", "lowest", "highest", "moves")
    print(table(header, [(
        f"{result.mean:.3f}", f"{low:.3f} to {high:.3f}", f"{result.deviation:.3f}", f"{result.low:g}",
        f"{result.high:g}", f"{result.mean_length:.1f}",
    )], left=()))
    interval = [low, high] if math.isfinite(low) else None
    return {
        "protocol": "whole games of one player",
        "returns": dataclasses.asdict(result),
        "mean_interval_95": interval,
    }


def every_position(subject: Subject) -> dict[str, Any]:
    """Every reachable decision position of a small game."""
    from games.solver import Solver

    log(f"solving {subject.game} ...")
    solver = Solver(subject.game)
    reports: list[KeepReport] = []
    for simulations in subject.simulations:
        player = subject.player(simulations)
        log(f"asking {player.name} ...")
        reports.append(keeps_value(player, solver, subject.game))
    print(f"{subject.game}: every position with a move to choose, seed {subject.seed}\n")
    rows = [
        (r.player, f"{r.positions:,}", f"{len(r.lapses):,}", f"{1 - len(r.lapses) / r.positions:.2%}")
        for r in reports
    ]
    print(table(("player", "positions", "lose value", "keep value"), rows))
    for r in reports:
        if r.lapses:
            first = r.lapses[0]
            print(f"\n{r.player}: after {list(first.history)} it plays {first.action}, worth {first.got:+g} "
                  f"where {first.value:+g} was to be had")
    return {
        "protocol": "every reachable decision position, the move as in play, against exact values",
        "every_position": [
            {"player": r.player, "positions": r.positions, "lose_value": len(r.lapses),
             "first_lapses": [dataclasses.asdict(lapse) for lapse in r.lapses[:10]]}
            for r in reports
        ],
    }


def known_positions(subject: Subject, path: Path) -> dict[str, Any]:
    """Positions of a file: without search, and at each number of simulations."""
    try:
        positions = read(path, subject.game)
    except engines.GameError as error:
        raise CommandError(str(error), DAMAGED) from error
    wanted = list(subject.simulations)
    if subject.agent is not None and 0 not in wanted:
        wanted.insert(0, 0)
    found: dict[str, list[Quality]] = {}
    for simulations in wanted:
        player = subject.player(simulations)
        log(f"asking {player.name} ...")
        found[player.name] = judge(positions, choose(player, positions))
    print(f"{subject.game}: {len(positions)} positions of {path}, seed {subject.seed}\n")
    for name, qualities in found.items():
        print(f"{name}\n{_quality_table(qualities)}\n")
    print("critical: some legal move loses value; perfect: the best score; value lost: 2 from win to loss")
    return {
        "protocol": f"one move in each of {len(positions)} positions with exact scores: {path}",
        "positions": {name: [dataclasses.asdict(q) for q in found[name]] for name in found},
    }


def _quality_table(qualities: list[Quality]) -> str:
    rows = [
        (q.label, f"{q.positions}", f"{q.critical}", f"{q.critical_keep:.1f}", f"{q.keep:.1f}",
         f"{q.perfect:.1f}", f"{q.value_lost:.3f}")
        for q in qualities
    ]
    header = ("plies", "positions", "critical", "critical keep %", "keep %", "perfect %", "value lost")
    return table(header, rows)
