"""Reports as JSON: the results, and all that is needed to reproduce them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from games.atari_protocol import AtariFacts
from muzero.evaluation.episodes import EpisodesReport
from muzero.evaluation.matches import LostValue, MatchReport
from muzero.evaluation.positions import EveryPositionReport, PositionsReport
from muzero.evaluation.provenance import provenance
from muzero.evaluation.suite import SuiteReport
from muzero.evaluation.tournament import Contender, TournamentReport
from muzero.inspection.position import PositionReport
from muzero.play.filming import FilmReport
from muzero.reports import protocols
from muzero.reports.inspection import as_json as inspection_json
from muzero.reports.model_text import sentence
from muzero.validation.movers import SOURCES
from muzero.validation.report import DepthReport
from muzero.validation.trust import LEAST, LEAST_LEGAL, LEAST_SEEN, MOST_DRIFT, MOST_FALSE, MOST_KL, scale
from muzero.validation.validate import ModelReport
from selfplay.strength.arena import Score, SoloResult
from selfplay.strength.ratings import END_PAIRS, PRIOR_DRAWS, RESAMPLES, Difference
from selfplay.strength.statistics import score_interval, wilson
from selfplay.strength.tournament import Standings

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject


def document(subject: Subject, argv: Sequence[str], *reports: object) -> dict[str, Any]:
    """Reports of one subject with all that is needed to reproduce the figures. argv: the command's arguments."""
    agent, asked = subject.agent, subject.simulations[0]
    facts: dict[str, Any] = {
        "game": subject.game,
        "seed": subject.seed,
        "checkpoint": None if agent is None else {
            "agent": agent.name, "step": agent.step, "training_seed": agent.config.train.seed,
            "simulations": agent.simulations if asked is None else asked,
            "planner": agent.config.play.algorithm, "noise": 0.0 if asked == 0 else agent.config.play.noise},
    }
    return with_provenance(argv, facts, *map(content, reports))


def with_provenance(argv: Sequence[str], *contents: dict[str, Any]) -> dict[str, Any]:
    """Contents, preceded by their provenance. argv: the arguments after `muzero evaluate`."""
    found = provenance(["evaluate", *argv])
    for part in contents:
        found |= part
    return found


@singledispatch
def content(report: object) -> dict[str, Any]:
    """The results as JSON values. Raises TypeError for anything but a report."""
    raise TypeError(f"expected a report of an evaluation, got {type(report).__name__}")


@content.register
def _match(report: MatchReport) -> dict[str, Any]:
    result = report.result
    scores = {"moving_first": result.moving_first, "moving_second": result.moving_second, "both": result.total}
    lost = {seat: _lost(value) for seat, value in report.value_lost.items()}
    return {
        "protocol": f"match, both seats equally often, {result.opening_plies} random opening plies",
        "match": dataclasses.asdict(result),
        "scores": {name: _score(score) for name, score in scores.items()},
        **({"value_lost": lost} if lost else {}),
    }


def _lost(lost: LostValue) -> dict[str, Any]:
    return {"value": lost.value, "games": lost.games, "got_less": len(lost.lapses),
            "first_lapses": [{**dataclasses.asdict(lapse), "games": count} for lapse, count in lost.counted]}


def _score(score: Score) -> dict[str, Any]:
    return {
        **dataclasses.asdict(score),
        "score": score.share,
        "score_interval_95": score_interval(score.wins, score.draws, score.losses),
        "wins_wilson_95": wilson(score.wins, score.games),
        "losses_wilson_95": wilson(score.losses, score.games),
    }


@content.register
def _episodes(report: EpisodesReport) -> dict[str, Any]:
    return {
        "protocol": protocols.of_episodes(report),
        "returns": returns(report.result),
        "mean_interval_95": report.interval,
        **({} if report.atari is None else _atari(report, report.atari)),
    }


def returns(result: SoloResult) -> dict[str, Any]:
    """The returns of all games, and their statistics."""
    return {**dataclasses.asdict(result), "games": result.games, "mean": result.mean, "median": result.median,
            "deviation": result.deviation, "low": min(result.returns), "high": max(result.returns)}


def _atari(report: EpisodesReport, facts: AtariFacts) -> dict[str, Any]:
    settings = {"protocol_settings": {"name": facts.protocol_name, **dataclasses.asdict(facts.protocol)}}
    normalised = report.human_normalised
    if normalised is None and not report.cut_short:
        return settings
    return {**settings, "human_normalised": normalised, "random": facts.rom.random, "human": facts.rom.human}


@content.register
def _every_position(report: EveryPositionReport) -> dict[str, Any]:
    return {
        "protocol": "every reachable decision position, the move as in play, against exact values",
        "every_position": [{"player": name, **dataclasses.asdict(found)} for name, found in report.players.items()],
    }


@content.register
def _positions(report: PositionsReport) -> dict[str, Any]:
    return {
        "protocol": f"one move in each of {report.positions} positions with exact scores: {report.file}",
        "positions": {name: [dataclasses.asdict(quality) for quality in found]
                      for name, found in report.players.items()},
    }


@content.register
def _position(report: PositionReport) -> dict[str, Any]:
    return inspection_json.content(report)


@content.register
def _model(report: ModelReport) -> dict[str, Any]:
    """Figures by depth are lists that begin at depth 0; null where there is nothing to judge."""
    return {
        "game": report.spec.name, "agent": report.agent, "step": report.step, "seed": report.seed,
        "positions": report.positions, "unroll": report.unroll, "sentence": sentence(report),
        "bounds": {"drift_of_spread": MOST_DRIFT, "kl": MOST_KL, "legal_mass": LEAST_LEGAL, "seen": LEAST_SEEN,
                   "false": MOST_FALSE, "least": LEAST},
        "sources": {source: {**dataclasses.asdict(report.trust[source]),
                             "scale": scale(report.figures[source], report.spec),
                             "figures": _figures(report.figures[source])} for source in SOURCES},
    }


def _figures(report: DepthReport) -> dict[str, Any]:
    """Without those of a legality head that there isn't."""
    return {name: _listed(value) for name, value in dataclasses.asdict(report).items() if value is not None}


def _listed(value: Any) -> Any:
    """Arrays as lists, within lists and dicts too."""
    if isinstance(value, dict):
        return {name: _listed(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


@content.register
def _film(report: FilmReport) -> dict[str, Any]:
    return {"video": {"file": str(report.file), "moves": report.moves, "score": report.score,
                      "whole": report.over and not report.cut_short}}


@content.register
def _suite(report: SuiteReport) -> dict[str, Any]:
    return {
        "conditions": report.conditions,
        "runs": [{**dataclasses.asdict(one), "path": str(one.path)} for one in report.runs],
        "human_normalised": {name: dataclasses.asdict(found) for name, found in report.human_normalised.items()}}


@content.register
def _tournament(report: TournamentReport) -> dict[str, Any]:
    """All results and ratings; an open end of an interval is null."""
    asked, table, labels = report.asked, report.standings, report.labels
    return {
        "game": asked.game, "seed": asked.seed,
        "protocol": f"round robin, {asked.games} games a pairing in pairs with seats swapped, {asked.opening_plies} "
                    "random opening plies, the same openings for every pairing",
        "openings": {"seed": asked.seed, "plies": asked.opening_plies},
        "max_moves": asked.limit,
        "cut": sum(meeting.cut for meeting in report.meetings),
        "rating": {"model": "Bradley-Terry, Elo units, draws as half wins", "anchor": labels[table.anchor],
                   "virtual_draws_a_player": PRIOR_DRAWS, "resamples": RESAMPLES,
                   "pairs_added_to_each_end": END_PAIRS},
        "interrupted": report.interrupted,
        "left_out": report.left_out,
        "players": [_player(report.contenders[number], labels[number], number, table) for number in table.order],
        "neighbours": [
            {"stronger": labels[upper], "weaker": labels[lower], **_difference(table.difference(upper, lower))}
            for upper, lower in zip(table.order, table.order[1:], strict=False)
        ],
        "pairings": [{**dataclasses.asdict(meeting), "first": labels[meeting.first], "second": labels[meeting.second],
                      "total": dataclasses.asdict(meeting.total)} for meeting in report.meetings],
    }


def _player(contender: Contender, label: str, number: int, table: Standings) -> dict[str, Any]:
    score = table.scores[number]
    return {
        "name": label, "player": contender.text,
        "folder": None if contender.folder is None else str(contender.folder),
        "step": contender.step, "simulations": contender.simulations, **_difference(table.rating(number)),
        "games": score.games, **dataclasses.asdict(score), "score": score.share,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    """Value and interval as JSON values."""
    ends = [end if math.isfinite(end) else None for end in (difference.low, difference.high)]
    return {"elo": difference.value, "interval_95": ends}
