"""Scores of whole games: kept by a run, combined over runs, refused where they can't be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from muzero.cli import main
from muzero.evaluation import episodes
from muzero.evaluation import kept as measurements
from muzero.evaluation.progress import TimeLeft
from muzero.evaluation.subject import Subject
from muzero.reports import as_json, terminal
from selfplay.strength.arena import SoloResult


def evaluation(game: str = "pong", seed: int = 0, normalised: float = 0.5, **changes: Any) -> dict[str, Any]:
    low, high = (-20.7, 14.6) if game == "pong" else (1.7, 30.5)
    return {
        "game": f"atari/{game}", "returns": {"mean": low + normalised * (high - low), "games": 100},
        "human_normalised": normalised,
        "protocol_settings": {"name": "atari100k", "sticky": 0.0},
        "checkpoint": {"step": 100, "training_seed": seed, "simulations": 50}, **changes}


def written(folder: Path, *contents: Any) -> list[str]:
    """A run's folder for each content."""
    paths = []
    for number, content in enumerate(contents):
        run = folder / f"run{number}"
        run.mkdir()
        (run / "evaluation.json").write_text(content if isinstance(content, str) else json.dumps(content))
        paths.append(str(run))
    return paths


def test_runs_are_combined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = written(tmp_path, *(evaluation(game, seed, share) for game, seed, share in (
        ("pong", 0, 0.8), ("pong", 1, 1.2), ("breakout", 0, 0.1), ("breakout", 1, 0.3))))
    assert main(["evaluate", "--suite", *paths, "--json", str(tmp_path / "out.json")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"after steps .*\n.*atari/breakout .* 100 100 ", said), "how long each was trained"
    assert "2 games, 2 training seeds each; protocol name atari100k, sticky 0.0; 50 simulations, noise 0" in said
    stored = json.loads((tmp_path / "out.json").read_text())["human_normalised"]
    assert stored["mean"]["value"] == pytest.approx(0.6)
    assert stored["iqm"]["value"] == pytest.approx(0.55)
    assert stored["mean"]["low"] >= 0.45


@pytest.mark.parametrize(("contents", "words"), [
    ([evaluation(seed=1), evaluation(seed=1)], "both atari/pong trained with seed 1"),
    ([evaluation(seed=1), evaluation("breakout"), evaluation("breakout", 1)], "the same number of seeds for each game"),
    ([evaluation(), evaluation(checkpoint={"step": 100, "training_seed": 1, "simulations": 16})],
     "different conditions"),
    ([evaluation(), evaluation(checkpoint={"step": 100, "training_seed": 1, "simulations": 50, "noise": 1.0})],
     "different conditions"),
    ([evaluation("connect_four")], "(atari/connect_four isn't an Atari game)"),
    ([evaluation(human_normalised=None)], "expected an evaluation of a run"),
    ([evaluation(checkpoint=None)], "(its player isn't a trained agent, so it has no training seed)"),
    (['{"game": "atari/pong"}'], "(no entry 'returns')"),
    ([evaluation(human_normalised=float("nan"))], "not finite"),
    ([evaluation(protocol_settings=None)], "expected an evaluation of a run"),
    ([evaluation(human_normalised=0.6)], "is 0.500 human-normalised, not 0.600"),
    ([evaluation(returns={"mean": -3.05, "games": 0})], "games: expected a whole number of at least 1, got 0"),
    ([evaluation(returns={"mean": -3.05, "games": 2.5})], "games: expected a whole number of at least 1, got 2.5"),
    (["[" * 200_000], "expected an evaluation of a run"),
    (["[]"], "expected an evaluation of a run"),
    (["{"], "(not JSON: "),
    ([evaluation(human_normalised=None, returns={"mean": -3.05, "games": 5, "cut": 5, "max_moves": 60})],
     "5 of 5 games were cut off after 60 moves, before the protocol's limit of 27,000: measure it again without "
     "--max-moves"),
    ([evaluation(returns={"mean": -3.05, "games": 5, "cut": 1, "max_moves": 26_999})], "1 of 5 games were cut off"),
])
def test_what_cannot_be_combined_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contents: list[Any], words: str
) -> None:
    assert main(["evaluate", "--suite", *written(tmp_path, *contents)]) == 2
    assert words in capsys.readouterr().err


def test_games_cut_by_the_protocol_itself_are_a_suite(tmp_path: Path) -> None:
    returns = {"mean": -3.05, "games": 5, "cut": 5, "max_moves": 27_000}
    assert main(["evaluate", "suite", *written(tmp_path, evaluation(returns=returns))]) == 0


@pytest.mark.parametrize(("limit", "told"), [(60, "no human-normalised score: it compares whole games"),
                                             (27_000, "human-normalised score 0.586")])
def test_games_cut_short_have_no_normalised_score(
    limit: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pong's first points say nothing about a game to 21; the protocol's own limit is part of the game."""
    found = episodes.EpisodesReport(
        SoloResult("atari/pong", "made up", (0.0, -0.04), (limit,) * 2, 0, limit, cut=2), limit,
        episodes.atari_facts("atari/pong"))
    assert (found.human_normalised is None) == (limit == 60)
    stored = as_json.content(found)
    assert stored["human_normalised"] == found.human_normalised
    terminal.show(found)
    assert told in capsys.readouterr().out
    kept = tmp_path / "evaluation.json"
    assert measurements.weighed(kept, stored)[0] == (limit != 60), "a run keeps no measurement of part of its games"


def test_one_run_is_a_suite_and_its_conditions_are_only_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stranger's file moves no cursor and writes no line of its own."""
    odd = {"name": "\x1b[2Jatari100k\nscore 9"}
    assert main(["evaluate", "--suite", *written(tmp_path, evaluation(protocol_settings=odd))]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 game, 1 training seed each; protocol name \\x1b[2Jatari100k score 9; 50 simulations")
    assert "\x1b" not in said


def test_an_evaluation_of_an_earlier_step_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run went on after it was measured."""
    content = evaluation()
    content["checkpoint"]["step"] = 100
    path = Path(written(tmp_path, content)[0])
    (path / "checkpoints" / "step-00000100").mkdir(parents=True)
    assert main(["evaluate", "--suite", str(path)]) == 0
    (path / "checkpoints" / "step-00000200").mkdir()
    assert main(["evaluate", "--suite", str(path)]) == 2
    assert "was measured at step 100 and is now at 200" in capsys.readouterr().err


def test_a_run_that_was_not_measured_says_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoints" / "step-00000100").mkdir(parents=True)
    assert main(["evaluate", "--suite", str(tmp_path)]) == 2
    assert f"hasn't been measured yet: muzero evaluate episodes {tmp_path} --episodes 100" in capsys.readouterr().err


def test_a_run_of_another_game_is_no_part_of_a_suite(catcher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "suite", str(catcher)]) == 2
    assert f"{catcher} plays catch: expected runs of Atari games" in capsys.readouterr().err


def test_an_agent_that_keeps_no_measurement_is_told_to_write_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--suite", str(tmp_path)]) == 2
    assert f"{tmp_path} isn't the folder of a run" in (said := capsys.readouterr().err)
    assert f"muzero evaluate episodes {tmp_path} --episodes 100 --json FILE" in said


def test_one_training_seed_a_game_has_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--suite", *written(tmp_path, evaluation("pong"), evaluation("breakout"))]) == 0
    said = capsys.readouterr().out
    assert "no interval: " in said
    assert "0.500 to 0.500" not in said


def test_a_quick_look_takes_no_long_measurement_s_place(tmp_path: Path) -> None:
    def measured(step: int, count: int, simulations: int = 16) -> dict[str, Any]:
        return {"checkpoint": {"step": step, "simulations": simulations}, "returns": {"games": count}}

    kept = tmp_path / "evaluation.json"
    assert measurements.weighed(kept, measured(5, 1)) == (True, ""), "nothing is there yet"
    kept.write_text(json.dumps(measured(5, 100)))
    stays = (False, "stays as it is: it has more games of the same step")
    assert measurements.weighed(kept, measured(5, 99)) == stays
    assert measurements.weighed(kept, measured(5, 99, simulations=50)) == stays
    assert measurements.weighed(kept, measured(5, 100)) == (True, "")
    assert measurements.weighed(kept, measured(6, 1)) == (True, ""), "the run went on"
    counts, why = measurements.weighed(kept, measured(5, 100, simulations=50))
    assert counts
    assert why.startswith("had 100 games with 16 simulations, noise 0")
    kept.unlink()
    kept.mkdir()
    assert measurements.weighed(kept, measured(5, 1)) == (True, "held no evaluation and was replaced")


@pytest.mark.parametrize("text", [
    "{", "[" * 200_000, "[]", '{"checkpoint": {"step": 5}, "returns": {"games": NaN}}',
    '{"checkpoint": {"step": 5}, "returns": {"games": 1e9}}', '{"checkpoint": {"step": 5}, "returns": {"games": true}}',
    '{"checkpoint": {"step": 5}, "returns": {"games": -3}}', '{"checkpoint": 5, "returns": {"games": 100}}'])
def test_what_is_no_measurement_counts_for_nothing(text: str, tmp_path: Path) -> None:
    kept = tmp_path / "evaluation.json"
    kept.write_text(text)
    found = measurements.weighed(kept, {"checkpoint": {"step": 5}, "returns": {"games": 1}})
    assert found == (True, "held no evaluation and was replaced")


@pytest.fixture
def catcher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run of one step."""
    run = tmp_path / "run"
    assert main(["train", "catch", "--out", str(run), "--steps", "1", "--train.actors", "0", "--selfplay.games", "8",
                 "--search.simulations", "2", "--replay.min-positions", "64", "--learner.batch", "16",
                 "--train.evaluate-minutes", "0", "--train.device", "cpu"]) == 0
    capsys.readouterr()
    return run


def test_a_run_keeps_its_longest_measurement(catcher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = catcher / "evaluation.json"
    for count, games, words in ((2, 2, ""), (1, 2, f"{kept} stays as it is"), (3, 3, "")):
        assert main(["evaluate", str(catcher), "--episodes", str(count), "--simulations", "2"]) == 0
        assert json.loads(kept.read_text())["returns"]["games"] == games
        said = capsys.readouterr().err
        assert words in said
        assert ("stays as it is" in said) == bool(words)


def test_a_measurement_is_told_and_written_before_the_run_fails_to_keep_it(
    catcher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    (catcher / "evaluation.json").mkdir()
    assert main(["evaluate", str(catcher), "--episodes", "2", "--simulations", "2", "--json", str(told)]) == 1
    said = capsys.readouterr()
    assert json.loads(told.read_text())["returns"]["games"] == 2
    assert "mean return" in said.out
    assert f"the run can't keep its evaluation, {catcher / 'evaluation.json'}: Is a directory" in said.err


@pytest.mark.parametrize(("returns", "warned"), [((-3.0, -5.0) * 5, True), (tuple(range(10)), False)])
def test_games_that_came_again_make_no_narrow_interval(
    returns: tuple[float, ...], warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(episodes, "play_alone", lambda *_: SoloResult("atari/pong", "made up", returns, (9,) * 10, 0))
    terminal.show(episodes.episodes(Subject("atari/pong", None, "random", (None,), 0), 10))
    assert ("only 2 of the games differ in score or length" in capsys.readouterr().out) == warned


# --- what a few games say -----------------------------------------------------------------------------------------


def solo(*returns: float) -> SoloResult:
    return SoloResult("catch", "random", returns, (9,) * len(returns), 0)


def report(*returns: float) -> episodes.EpisodesReport:
    return episodes.EpisodesReport(solo(*returns), 9)


def test_few_games_and_equal_games_have_no_interval() -> None:
    assert report(-67.0, 94.0).interval is None
    assert "expected 5 or more games" in report(1.0, 2.0, 3.0, 4.0).without_interval
    assert report(*[-21.0] * 5).interval is None
    assert report(*[-21.0] * 5).without_interval == "all games equal"
    # Their mean is 0.1 + 1.4e-17.
    assert solo(*[0.1] * 10).deviation == 0.0
    found = report(1.0, 2.0, 3.0, 4.0, 5.0).interval
    assert found is not None
    assert found[0] < 3.0 < found[1]
    assert [terminal.score(number) for number in (0.12345, -20.7, 100.0, 100.01, -7625.25)] == [
        "0.123", "-20.700", "100.000", "100.0", "-7625.2"]


@pytest.mark.parametrize(("count", "words"), [(4, "no interval: expected 5 or more games for an interval, got 4"),
                                              (20, " to ")])
def test_intervals_are_printed_where_they_mean_something(
    count: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    assert main(["evaluate", "catch", "--player", "random", "--episodes", str(count), "--json", str(told)]) == 0
    assert words in capsys.readouterr().out
    assert (json.loads(told.read_text())["mean_interval_95"] is None) == (count < 5)


def test_the_time_left_follows_the_pace_of_the_endings() -> None:
    now = [0.0]
    left = TimeLeft(400, lambda: now[0])

    def at(seconds: float, over: int, size: int = 100) -> str:
        now[0] = seconds
        return left.told(over, size)

    assert at(600.0, 0) == "", "all are under way, and nobody knows for how long"
    assert at(600.0, 2) == ""
    assert at(640.0, 6) == "", "not yet a tenth"
    # Ten seconds a game: 80 more need 800, and each of the three batches to come as long as this one, 1580.
    assert at(780.0, 20) == f", about {round((800 + 3 * 1580) / 60)} minutes left"
    assert at(1570.0, 99) == f", about {round((10 + 3 * 1580) / 60)} minutes left"
    assert at(1580.0, 0) == "", "the next batch"
    left = TimeLeft(100, lambda: now[0])
    assert at(10.0, 50) == "", "as many at once tell no pace"
    assert at(20.0, 60) == ", about a minute left"
