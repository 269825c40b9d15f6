"""The measures behind `muzero evaluate`: each prints its table and gives the same figures as JSON values."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import games as engines
from games.base import NO_PLAYER, GameBatch, IntArray, MaskArray
from games.exact import Exact, exact
from games.solver import Solver
from muzero.commands.console import DAMAGED, USAGE, CommandError, log
from muzero.terminal import table
from selfplay.agents import SearchPlayer, parse
from selfplay.arena import PairedGames, Score, play_alone, play_pairs, summary
from selfplay.perfect import Lapse, PerfectPlayer, first_lapses, keeps_value
from selfplay.positions import Quality, choose, judge, read
from selfplay.statistics import mean_interval, score_interval, wilson

if TYPE_CHECKING:
    from muzero.agent import Agent
    from selfplay.agents import Player

PROGRESS_SECONDS = 10.0
"""Between two lines of a Ticker."""
OUTCOMES = {1.0: "win", 0.0: "draw", -1.0: "loss"}
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
    player = subject.player(subject.simulations[0])
    opponent = parse(against or "random", subject.game, subject.seed + 1, subject.simulations[0])
    if plies is None:
        two_agents = isinstance(player, SearchPlayer) and isinstance(opponent, SearchPlayer)
        plies = AGENT_OPENINGS if two_agents and not facts.stochastic else 0
    solver = opponent.solver if isinstance(opponent, PerfectPlayer) else None
    if solver is not None:
        _solve_start(solver)
    log(f"playing {games} games ...")
    played = play_pairs(subject.game, Told(player), opponent, games, subject.seed, plies)
    result = summary(played, subject.game, (player.name, opponent.name), subject.seed, plies)
    rows = {"moving first": result.moving_first, "moving second": result.moving_second, "both": result.total}
    openings = f", {plies} random opening moves, each opening from both seats" if plies else ""
    print(f"{result.game}: {result.player} against {result.opponent}, seed {result.seed}{openings}\n")
    header = ("", "games", "won", "drawn", "lost", "score", "95 % interval")
    print(table(header, [_score_row(name, score) for name, score in rows.items()]))
    print(f"\n{result.different} different games, {result.mean_length:.1f} moves on average.\n"
          "score: wins + draws / 2; its interval: the score test's (Wilson's where nothing is drawn)")
    lost = {} if solver is None or plies or not solver.timed else _value_lost(played, solver)
    return {
        "protocol": f"match, both seats equally often, {plies} random opening plies",
        "match": dataclasses.asdict(result),
        "scores": {name.replace(" ", "_"): _score_json(score) for name, score in rows.items()},
        **lost,
    }


def _value_lost(played: PairedGames, solver: Exact) -> dict[str, Any]:
    """In how many games the first-named player got less than the start was worth to it, and where, for each seat."""
    value = solver.value(solver.new_state())
    seats = {
        "moving_first": (value, played.moving_first),
        "moving_second": (0.0 - value, played.moving_second),
    }
    less = {seat: score.losses * (worth > -1) + score.draws * (worth > 0) for seat, (worth, score) in seats.items()}
    told = ", ".join(
        f"{less[seat]} of {score.games} {seat.replace('_', ' ')} (the start is worth a {OUTCOMES[worth]})"
        for seat, (worth, score) in seats.items()
    )
    print(f"{'loses value' if any(less.values()) else 'loses no value'}: {told}")
    lapses = {"moving_first": first_lapses(played.moves[0::2], True, solver),
              "moving_second": first_lapses(played.moves[1::2], False, solver)}
    for seat, found in lapses.items():
        if found:
            print(f"where, {seat.replace('_', ' ')}: {_places(found)}")
    return {"value_lost": {
        seat: {"value": worth, "games": score.games, "got_less": less[seat], "first_lapses": _counted(lapses[seat])}
        for seat, (worth, score) in seats.items()
    }}


def _places(lapses: Sequence[Lapse]) -> str:
    """At which moves of the game value was lost first, and what was played most often there."""
    moves = ", ".join(f"move {move} in {_games(count)}"
                      for move, count in sorted(Counter(len(lapse.history) + 1 for lapse in lapses).items()))
    most = _counted(lapses)[0]
    return (f"{moves}; most often {most['action']} after {list(most['history'])}, worth {most['got']:+g} where "
            f"{most['value']:+g} was to be had ({_games(most['games'])})")


def _games(count: int) -> str:
    return f"{count:,} game" + ("s" if count != 1 else "")


def _counted(lapses: Sequence[Lapse]) -> list[dict[str, Any]]:
    """Each different lapse with the number of games it was in, the most frequent first."""
    return [{**dataclasses.asdict(lapse), "games": count} for lapse, count in Counter(lapses).most_common()]


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
    result = play_alone(subject.game, Told(subject.player(subject.simulations[0])), games, subject.seed)
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
    """Every reachable decision position of a small game: without search, and at each number of simulations."""
    players = _players(subject)
    if not isinstance(exact(subject.game), Solver):
        raise CommandError(f"{subject.game} has too many positions to visit every one; its exact values are known all "
                           "the same: --against perfect, or --positions FILE")
    solver = Solver(subject.game)
    _solve_start(solver)
    log(f"asking {', '.join(player.name for player in players)} ...")
    progress = Ticker("asked about")
    reports = dict(zip((player.name for player in players), keeps_value(players, solver, progress), strict=True))
    print(f"{subject.game}: every position with a move to choose, seed {subject.seed}\n")
    rows = [
        (name, f"{r.positions:,}", f"{r.lose_value:,}", f"{1 - r.lose_value / r.positions:.2%}")
        for name, r in reports.items()
    ]
    print(table(("player", "positions", "lose value", "keep value"), rows))
    for name, r in reports.items():
        print(f"\n{name}\n{_quality_table(r.qualities)}")
        for first in r.first_lapses[:1]:
            print(f"first lapse: after {list(first.history)} it plays {first.action}, worth {first.got:+g} "
                  f"where {first.value:+g} was to be had")
    print(f"\n{_legend(solver.timed)}")
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


class Ticker:
    """A line on stderr now and then, for work that may take minutes."""

    def __init__(self, doing: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._doing, self._clock, self._last = doing, clock, clock()

    def __call__(self, done: int, whole: int = 0) -> None:
        """`done` positions so far, of `whole` where that is known."""
        self.tell(f"{done:,}" + (f" of {whole:,}" if whole else "") + " positions")

    def tell(self, text: str) -> None:
        """How far it is, in words; not said if something was lately."""
        if self._clock() - self._last >= PROGRESS_SECONDS:
            self._last = self._clock()
            log(f"{self._doing} {text}")


class Told:
    """A player of whose games people hear how far they are."""

    def __init__(self, player: Player) -> None:
        self.player, self.name = player, player.name
        self._moves, self._ticker = 0, Ticker("playing:")

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """The player's moves [N]."""
        over = int((games.to_play() == NO_PLAYER).sum())
        self._ticker.tell(f"{over:,} of {games.size:,} games are over, {self._moves:,} moves of {self.name} made")
        self._moves += int(rows.sum())
        return self.player.act(games, rows)


def _solve_start(solver: Exact) -> None:
    """Work the start out: a game too large is noticed before the first move."""
    if isinstance(solver, Solver):
        solver.progress = Ticker("solving:")
    log(f"solving {solver.spec.name} ...")
    solver.value(solver.new_state())


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
    print(f"{subject.game}: {len(positions)} positions of {path}, seed {subject.seed}\n")
    for name, qualities in found.items():
        print(f"{name}\n{_quality_table(qualities)}\n")
    print(_legend(positions.timed))
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
