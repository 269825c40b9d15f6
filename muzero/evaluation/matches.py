"""Matches of two players: their tables, and the same figures as JSON values."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import games as engines
from games.exact import Exact
from muzero.evaluation.progress import Announced, solve_aloud
from muzero.evaluation.subject import Subject
from muzero.players import SearchPlayer, parse
from muzero.view.console import log, tell
from muzero.view.terminal import table, told_cut
from selfplay.strength.arena import PairedGames, Score, play_pairs, summary
from selfplay.strength.perfect import Lapse, PerfectPlayer, first_lapses
from selfplay.strength.statistics import score_interval, wilson

OUTCOMES = {1.0: "win", 0.0: "draw", -1.0: "loss"}
AGENT_OPENINGS = 2
"""Random opening moves between two agents: without noise they would play the same game again and again."""


def match(
    subject: Subject, against: str | None, games: int, plies: int | None, max_moves: int = 0
) -> dict[str, Any]:
    """A match after `plies` random moves (None: as suits the players), each game of `max_moves` at most (0: as
    `selfplay.strength.arena.move_limit` says)."""
    facts = engines.spec(subject.game)
    player = subject.player(subject.simulations[0])
    opponent = parse(against or "random", subject.game, subject.seed + 1, subject.simulations[0])
    if plies is None:
        two_agents = isinstance(player, SearchPlayer) and isinstance(opponent, SearchPlayer)
        plies = AGENT_OPENINGS if two_agents and not facts.stochastic else 0
    solver = opponent.solver if isinstance(opponent, PerfectPlayer) else None
    if solver is not None:
        solve_aloud(solver)
    log(f"playing {games} games ...")
    played = play_pairs(subject.game, Announced(player, games), opponent, games, subject.seed, plies, max_moves)
    result = summary(played, subject.game, (player.name, opponent.name), subject.seed, plies, max_moves)
    rows = {"moving first": result.moving_first, "moving second": result.moving_second, "both": result.total}
    openings = f", {plies} random opening moves, each opening from both seats" if plies else ""
    tell(f"{result.game}: {result.player} against {result.opponent}, seed {result.seed}{openings}\n")
    header = ("", "games", "won", "drawn", "lost", "score", "95 % interval")
    tell(table(header, [_score_row(name, score) for name, score in rows.items()]))
    tell(f"\n{result.different} different games, {result.mean_length:.1f} moves on average.\n"
         "score: wins + draws / 2; its interval: the score test's (Wilson's where nothing is drawn)")
    if result.cut:
        tell(told_cut(result.cut, games, result.max_moves))
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
    # What is lost stays lost: the opponent plays perfectly.
    seats = {
        "moving_first": (value, played.moving_first.games, first_lapses(played.moves[0::2], True, solver)),
        "moving_second": (0.0 - value, played.moving_second.games, first_lapses(played.moves[1::2], False, solver)),
    }
    told = ", ".join(
        f"{len(lapses)} of {_games(games)} {seat.replace('_', ' ')} (the start is worth a {OUTCOMES[worth]})"
        for seat, (worth, games, lapses) in seats.items()
    )
    tell(f"value lost in {told}")
    for seat, (_, _, lapses) in seats.items():
        if lapses:
            tell(f"where, {seat.replace('_', ' ')}: {_places(lapses)}")
    return {"value_lost": {
        seat: {"value": worth, "games": games, "got_less": len(lapses), "first_lapses": _counted(lapses)}
        for seat, (worth, games, lapses) in seats.items()
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
