"""Evaluations give reports and print nothing; every report can be shown and written as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_agents import agent, inspected

from muzero.evaluation.episodes import EpisodesReport, episodes
from muzero.evaluation.matches import Match, MatchReport, match
from muzero.evaluation.positions import EveryPositionReport, PositionsReport, every_position, known_positions
from muzero.evaluation.subject import Subject
from muzero.evaluation.suite import SuiteReport, combine
from muzero.evaluation.tournament import Contender, Seat, Tournament, TournamentReport, hold
from muzero.inspection.position import PositionReport
from muzero.play.filming import FilmReport
from muzero.players import maker, read_name
from muzero.reports import as_json, terminal
from muzero.storage.disk import Damaged
from muzero.validation.validate import ModelReport, validate
from muzero.view.waiting import silent

GAME = "tic_tac_toe"
REPORTS = (MatchReport, EpisodesReport, EveryPositionReport, PositionsReport, TournamentReport, SuiteReport, FilmReport,
           PositionReport, ModelReport)
Captured = pytest.CaptureFixture[str]


def subject(game: str = GAME) -> Subject:
    return Subject(game, None, "random", (None,), 0)


def a_match(folder: Path) -> object:
    return match(subject(), Match("mcts:2", 2))


def a_match_against_perfect_play(folder: Path) -> object:
    return match(subject(), Match("perfect", 4))


def some_episodes(folder: Path) -> object:
    return episodes(subject("catch"), 6)


def all_positions(folder: Path) -> object:
    return every_position(subject())


def some_positions(folder: Path) -> object:
    (folder / "positions.csv").write_text("moves,values\n04,.;0;0;0;.;0;0;0;0\n")
    return known_positions(subject(), folder / "positions.csv")


def test_a_planner_without_search_is_asked_once() -> None:
    told: list[str] = []
    who = agent(GAME, play__algorithm="policy")
    found = every_position(Subject(GAME, who, "", (None, 50), 0), told.append)
    assert [*found.players] == [f"{GAME} (no search)"]
    assert f"asking {GAME} (no search) ..." in told


def a_tournament(folder: Path) -> object:
    seats = [Seat(Contender(name, read_name(name)), name, maker(name, GAME)) for name in ("random", "mcts:2")]
    return hold(Tournament(GAME, 2), seats)


def a_suite(folder: Path) -> object:
    content = {
        "game": "atari/pong", "returns": {"mean": -3.05, "games": 9}, "human_normalised": 0.5,
        "protocol_settings": {"name": "atari100k"}, "checkpoint": {"step": 1, "training_seed": 0, "simulations": 5}}
    (folder / "one.json").write_text(json.dumps(content))
    return combine([folder / "one.json"])


def a_film(folder: Path) -> object:
    return FilmReport(folder / "film.gif", 7, 1.0, over=False, cut_short=False, limit=100)


def a_position(folder: Path) -> object:
    return inspected(agent(GAME), "b2", simulations=10, imagined=[0, 1])


def a_model(folder: Path) -> object:
    return validate(agent(GAME), 2, 24, 0, silent)


MADE = {
    a_match: MatchReport, a_match_against_perfect_play: MatchReport, some_episodes: EpisodesReport,
    all_positions: EveryPositionReport, some_positions: PositionsReport, a_tournament: TournamentReport,
    a_suite: SuiteReport, a_film: FilmReport, a_position: PositionReport, a_model: ModelReport}


def test_every_report_has_both_forms() -> None:
    assert set(terminal.show.registry) == set(as_json.content.registry) == {object, *REPORTS}
    assert set(MADE.values()) == set(REPORTS)


@pytest.mark.parametrize(("measure", "kind"), MADE.items())
def test_an_evaluation_gives_a_report_and_prints_nothing(
    measure: Callable[[Path], object], kind: type[object], tmp_path: Path, capsys: Captured
) -> None:
    report = measure(tmp_path)
    assert isinstance(report, kind)
    silent = capsys.readouterr()
    assert silent.out == silent.err == ""
    assert json.loads(json.dumps(as_json.content(report), default=float))
    assert capsys.readouterr().out == ""
    terminal.show(report)
    assert capsys.readouterr().out.strip()


def test_what_is_no_report_is_refused() -> None:
    for write in (terminal.show, as_json.content):
        with pytest.raises(TypeError, match="expected a report of an evaluation, got str"):
            write("text")


def test_whoever_waits_is_told_by_the_one_who_asks() -> None:
    said: list[str] = []
    match(subject(), Match("random", 2), said.append)
    assert said == ["playing 2 games ..."]


def test_a_file_that_holds_no_positions_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "positions.csv").write_text("moves,values\n04,.;0\n")
    with pytest.raises(Damaged, match="line 2"):
        known_positions(subject(), tmp_path / "positions.csv")
