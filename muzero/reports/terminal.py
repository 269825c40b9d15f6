"""Reports as text for a terminal: tables, with explanations in plain words."""

from __future__ import annotations

import math
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from functools import singledispatch

from games.own_names import short_name
from muzero.evaluation.episodes import EpisodesReport
from muzero.evaluation.matches import LostValue, MatchReport
from muzero.evaluation.positions import EveryPositionReport, PositionsReport
from muzero.evaluation.suite import Measured, SuiteReport
from muzero.evaluation.tournament import TournamentReport
from muzero.inspection.position import PositionReport
from muzero.play.filming import FilmReport
from muzero.reports import model_text, protocols, standings
from muzero.reports.inspection import text as inspection_text
from muzero.validation.validate import ModelReport
from muzero.view.console import tell
from muzero.view.terminal import amount, counted, table, told_cut
from muzero.view.wrapping import columns_of
from selfplay.strength.arena import Score
from selfplay.strength.positions import Quality
from selfplay.strength.statistics import score_interval

OUTCOMES = {1.0: "win", 0.0: "draw", -1.0: "loss"}
SUITE_NAMES = {"iqm": "IQM", "median": "median", "mean": "mean", "optimality_gap": "optimality gap"}


@singledispatch
def show(report: object) -> None:
    """Print a report. Raises TypeError for anything else."""
    raise TypeError(f"expected a report of an evaluation, got {type(report).__name__}")


@show.register
def _match(report: MatchReport) -> None:
    result = report.result
    rows = {"moving first": result.moving_first, "moving second": result.moving_second, "both": result.total}
    plies = result.opening_plies
    openings = f", {plies} random opening moves, each opening from both seats" if plies else ""
    tell(f"{short_name(result.game)}: {result.player} against {result.opponent}, seed {result.seed}{openings}\n")
    header = ("", "games", "won", "drawn", "lost", "score", "95 % interval")
    tell(table(header, [_score_row(name, score) for name, score in rows.items()]))
    tell(f"\n{result.different} different games, {result.mean_length:.1f} moves on average.\n"
         "score: wins + draws / 2; its interval: by the score test (Wilson's if there are no draws)")
    if result.cut:
        tell(told_cut(result.cut, result.total.games, result.max_moves))
    if report.value_lost:
        _value_lost(report)


def _score_row(name: str, score: Score) -> tuple[str, ...]:
    low, high = score_interval(score.wins, score.draws, score.losses)
    counts = (score.games, score.wins, score.draws, score.losses)
    return name, *map(str, counts), f"{score.share:.1%}", f"{low:.1%} to {high:.1%}"


def _value_lost(report: MatchReport) -> None:
    told = ", ".join(
        f"{len(lost.lapses)} of {counted(lost.games, 'game')} {seat.replace('_', ' ')} "
        f"(the start is worth a {OUTCOMES[lost.value]})"
        for seat, lost in report.value_lost.items()
    )
    tell(f"value lost in {told}")
    for seat, lost in report.value_lost.items():
        if lost.lapses:
            tell(f"where, {seat.replace('_', ' ')}: {_places(lost)}")


def _places(lost: LostValue) -> str:
    """At which moves value was lost first, and the most frequent of these lapses."""
    numbers = Counter(len(lapse.history) + 1 for lapse in lost.lapses)
    moves = ", ".join(f"move {move} in {counted(count, 'game')}" for move, count in sorted(numbers.items()))
    most, count = lost.counted[0]
    return (f"{moves}; most often {most.action} after {list(most.history)}, worth {most.got:+g} where "
            f"{most.value:+g} was possible ({counted(count, 'game')})")


@show.register
def _episodes(report: EpisodesReport) -> None:
    result, interval = report.result, report.interval
    tell(f"{short_name(result.game)}: {result.player}, {counted(result.games, 'game')}, seed {result.seed}")
    tell(f"protocol: {protocols.of_episodes(report)}\n")
    header = ("mean return", "95 % interval", "median", "deviation", "lowest", "highest", "moves")
    tell(table(header, [(
        score(result.mean), "-" if interval is None else f"{score(interval[0])} to {score(interval[1])}",
        f"{result.median:g}", score(result.deviation), f"{min(result.returns):g}", f"{max(result.returns):g}",
        f"{sum(result.lengths) / result.games:.1f}",
    )], left=()))
    if result.cut:
        tell("\n" + told_cut(result.cut, result.games, report.limit))
    if interval is None:
        tell(f"\nno interval: {report.without_interval}")
    elif report.atari is not None and 2 * report.different < result.games:
        tell(f"\nonly {report.different} of the games differ in score or length, so the interval is too narrow: it "
             "counts each as a separate game")
    if report.atari is not None:
        _beside(report)


def _beside(report: EpisodesReport) -> None:
    """The score compared with random play and a human."""
    assert report.atari is not None
    rom, normalised = report.atari.rom, report.human_normalised
    if report.cut_short:
        tell("\nno human-normalised score: it compares whole games, and the limit of the protocol is "
             f"{report.atari.spec.max_length:,} moves")
    elif normalised is None:
        tell(f"\nNo random and human scores are published for {rom.name}.")
    else:
        tell(f"\nhuman-normalised score {normalised:.3f} (random {rom.random:g}: 0, human {rom.human:g}: 1)")


def score(number: float) -> str:
    """A score, rounded to a number of decimals that suits its size."""
    return f"{number:.1f}" if abs(number) > 100 else amount(number, 3)


@show.register
def _every_position(report: EveryPositionReport) -> None:
    tell(f"{short_name(report.game)}: every position with a move to choose, seed {report.seed}\n")
    rows = [
        (name, f"{found.positions:,}", f"{found.lose_value:,}", f"{1 - found.lose_value / found.positions:.2%}")
        for name, found in report.players.items()
    ]
    tell(table(("player", "positions", "lose value", "keep value"), rows))
    for name, found in report.players.items():
        tell(f"\n{name}\n{_quality_table(found.qualities)}")
        for first in found.first_lapses[:1]:
            tell(f"first lapse: after {list(first.history)} it plays {first.action}, worth {first.got:+g} "
                 f"where {first.value:+g} was possible")
    tell(f"\n{_legend(report.timed)}")


@show.register
def _positions(report: PositionsReport) -> None:
    tell(f"{short_name(report.game)}: {report.positions} positions of {report.file}, seed {report.seed}\n")
    for name, qualities in report.players.items():
        tell(f"{name}\n{_quality_table(qualities)}\n")
    tell(_legend(report.timed))


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


@show.register
def _tournament(report: TournamentReport) -> None:
    # Already wrapped to the terminal's width, tables included.
    print(standings.text(report, shutil.get_terminal_size((80, 24)).columns), flush=True)


@show.register
def _position(report: PositionReport) -> None:
    print(inspection_text.screen(report), flush=True)


@show.register
def _model(report: ModelReport) -> None:
    tell(model_text.text(report, columns_of(sys.stdout) or model_text.WIDEST))


@show.register
def _film(report: FilmReport) -> None:
    rest = "" if report.over else f" (films end at {report.moves:,} moves; the game goes on)"
    rest += f" (cut off after {report.limit:,} moves)" if report.cut_short else ""
    tell(f"filmed {report.moves:,} moves, score {report.score:g}: {report.file}{rest}")


@show.register
def _suite(report: SuiteReport) -> None:
    by_game, numbers, seeds = report.by_game, report.human_normalised, report.seeds
    rows = [_suite_row(game, many) for game, many in by_game.items()]
    tell(f"{counted(len(by_game), 'game')}, {counted(seeds, 'training seed')} each; {report.conditions}\n")
    tell(table(("game", "scores", "of games", "after steps", "mean", "human-normalised"), rows, left=(0, 1, 2, 3)))
    tell("\n" + table(("human-normalised", "value", "95 % interval"), [
        (title, f"{numbers[name].value:.3f}",
         "-" if seeds == 1 else f"{numbers[name].low:.3f} to {numbers[name].high:.3f}")
        for name, title in SUITE_NAMES.items()]))
    if seeds == 1:
        tell("\nno interval: it comes from the differences between training seeds, and there is only one per game")


def _suite_row(game: str, many: list[Measured]) -> tuple[str, ...]:
    mean, normalised = (sum(getattr(one, name) for one in many) / len(many) for name in ("score", "normalised"))
    columns = [(f"{one.score:.1f}", f"{one.episodes}", f"{one.step}") for one in many]
    scores, games, steps = (" ".join(texts) for texts in zip(*columns, strict=True))
    return game, scores, games, steps, f"{mean:.1f}", f"{normalised:.3f}"
