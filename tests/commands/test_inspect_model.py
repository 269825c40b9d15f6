"""`muzero inspect AGENT --model`: table, picture and JSON, and what it refuses."""

from __future__ import annotations

import builtins
import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import tiny, whole_run
from toys_counting import Counting

from games.base import GameSpec
from muzero import cli
from muzero.agent import Agent, load
from muzero.config import Config, ModelConfig
from muzero.model.build import build_model
from muzero.reports import as_json, model_text, terminal
from muzero.reports.model_plot import COLOURS, FEW, draw
from muzero.validation import validate as validation
from muzero.validation.calibration import Calibration
from muzero.validation.movers import SOURCES
from muzero.validation.trust import Trust, trusted
from muzero.validation.validate import ModelReport, ValidationError, validate

torch.set_num_threads(1)


def inspected(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(["inspect", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_shipped_agents_model_is_good_in_words_numbers_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = inspected(capsys, "tic_tac_toe", "--model", "--positions", "100", "--plot",
                               str(tmp_path / "m.svg"), "--json", str(tmp_path / "m.json"))
    assert code == 0
    assert "Good to at least 6 moves here, as deep as was measured (it was trained on 3)." in out
    assert out.count("depth  games  drift") == 3
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert out.splitlines()[-1] == out.splitlines()[2], "the sentence, where it can't scroll away"
    assert "following 100 positions: one random move, then moves of the policy network ..." in err
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["command"][:4] == ["muzero", "inspect", "tic_tac_toe", "--model"]
    assert set(found["sources"]) == set(SOURCES)
    figures = found["sources"]["random"]["figures"]
    assert figures["drift"][0] == 0.0
    assert len(figures["drift"]) == len(figures["wins"]) == 7
    # Perfect play is known in this game, and what followed a random move says nothing of the position before it.
    assert figures["truth_error"][0] < 0.05
    assert figures["value_error"][0] is None
    assert found["sources"]["random"]["depth"] == 6
    assert "reliability: win probability" in (tmp_path / "m.svg").read_text()


def test_a_damaged_model_is_not_trusted() -> None:
    agent = load("tic_tac_toe")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in agent.model.g.parameters():
            weights.add_(0.4 * weights.std() * torch.randn(weights.shape, generator=generator))
    found = validate(agent, positions=150)
    assert found.trust[found.worst].depth < 3
    assert model_text.sentence(found).startswith(("Good to about", "Not good for"))


def test_equal_reports_give_equal_pictures(tmp_path: Path) -> None:
    found = validate(made(), positions=40, depth=1)
    pictures = [tmp_path / name for name in ("a.svg", "b.svg")]
    for picture in pictures:
        draw(found, picture)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_a_panel_without_a_curve_says_why(tmp_path: Path) -> None:
    """Of 25 untrained games that begin anywhere, no bin of predictions holds enough at their ends."""
    found = validate(made(), positions=25, depth=8)
    assert 0 < found.figures["played"].positions[8] < FEW
    draw(found, tmp_path / "few.svg")
    assert "too few games" in (tmp_path / "few.svg").read_text()


def test_a_run_can_be_inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole_run(tiny(train__steps=2), tmp_path / "run")
    code, out, _ = inspected(capsys, str(tmp_path / "run"), "--model", "--positions", "40", "--depth", "2")
    assert code == 0
    assert "step 2, 40 positions each" in out
    assert "good to" in out.lower()


def made(**model: Any) -> Agent:
    torch.manual_seed(0)
    config = Config(model=ModelConfig(width=8, hidden=8, **model))
    return Agent(build_model(config), config, "made", 0)


def test_a_model_of_the_true_rules_is_refused() -> None:
    with pytest.raises(ValidationError, match="imagines nothing, so there is no model to validate"):
        validate(made(dynamics="rules"))


def test_too_few_positions_are_refused_with_how_many_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a game of nine moves that is followed from its eighth move on, few positions have another one behind them."""
    monkeypatch.setattr(validation, "usual", lambda *_: (9, 100))
    with pytest.raises(ValidationError, match=r"expected at least 20 positions .* got \d+: give --positions at least "
                                              r"\d+"):
        validate(made(), positions=21)


class OneMove(Counting):
    """A game of one move."""

    spec = GameSpec("one_move", 1, (1,), "float32", 2, 1, 0.0, 1.0, False, False, False)

    def reward(self, action: int) -> float:
        return float(action)


def test_games_of_one_move_are_no_matter_of_how_many() -> None:
    config = Config(game=f"{__file__}:OneMove", model=ModelConfig(width=8, hidden=8))
    agent = Agent(build_model(config), config, "made", 0)
    with pytest.raises(ValidationError, match=r"got 0 of 30: every game is over after that move"):
        validate(agent, positions=30, depth=2)


def test_what_is_too_rare_to_be_judged_is_told() -> None:
    """A model that has learned nothing is never wrong about rewards that nobody gets."""
    config = Config(game="tic_tac_toe", model=ModelConfig(width=8, hidden=8))
    found = validate(Agent(build_model(config), config, "made", 0), depth=2, positions=40)
    good = Trust(2, 2, ())
    few = dataclasses.replace(found.figures["played"], rewards=np.array([0, 10, 9]), ends=np.array([0, 10, 10]))
    blank = dataclasses.replace(found, trust=dict.fromkeys(SOURCES, good), figures=dict.fromkeys(SOURCES, few))
    lines = model_text.text(blank).splitlines()
    assert lines[2].startswith("Good to at least 2 moves here")
    assert lines[3] == "There are too few rewards up to there to judge them: fewer than 20."
    enough = dataclasses.replace(few, rewards=np.array([0, 10, 10]))
    told = dataclasses.replace(blank, figures={**blank.figures, "random": enough})
    assert "too few" not in model_text.text(told)


@pytest.mark.parametrize(("words", "said"), [
    (["--out", "x.svg"], "--out is for a position: leave out --model; the picture of a model is --plot FILE.svg"),
    (["--moves=b2"], "--moves is for a position: leave out --model"),
    (["--positions", "19"], "--positions: expected 20 to 1,048,576, got 19"),
    (["--depth", "0"], "--depth: expected 1 to 1,000, got 0"),
    (["--seed", "-1"], "--seed: expected 0 to"),
    (["--plot", "model.txt"], "--plot model.txt: expected a name that ends in .svg, .png, .pdf"),
    (["--plot", "nowhere/model.svg"], "--plot nowhere/model.svg: can't be written there"),
    (["--json", "nowhere/model.json"], "--json nowhere/model.json: can't be written there"),
    (["--positions", "1000000", "--depth", "100"], "expected at most 2 GiB of memory, got 77.8; lower --positions"),
    (["--positions", "1000000"], "expected at most 2 GiB of memory, got 5.4; lower --positions or --depth"),
])
def test_what_cant_be_done_is_refused_before_games_are_played(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "usual", None)
    code, out, err = inspected(capsys, "tic_tac_toe", "--model", *words)
    assert code == 2
    assert said in err
    assert out == ""


@pytest.mark.parametrize(("words", "said"), [
    (["tic_tac_toe@50", "--model"],
     "tic_tac_toe@50: expected an agent without a number of simulations, as --model looks at its model alone: "
     "muzero inspect tic_tac_toe --model"),
    (["tic_tac_toe", "--plot", "x.svg"], "--plot is for the model: add --model"),
    (["tic_tac_toe", "--positions", "50"], "--positions is for the model: add --model"),
])
def test_a_mix_of_both_inspections_is_told_apart(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = inspected(capsys, *words)
    assert code == 2
    assert " ".join(said.split()) in " ".join(err.split())
    assert out == ""


def test_a_picture_without_matplotlib_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "matplotlib":
            raise ImportError("no matplotlib")
        return there(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = inspected(capsys, "tic_tac_toe", "--model", "--plot", "model.svg")
    assert code == 2
    assert "pip install '.[plots]'" in err


def test_chance_is_told_as_a_part_of_the_errors() -> None:
    torch.manual_seed(0)
    config = Config(game="pig(winscore=10,horizon=40)", model=ModelConfig(width=8, hidden=8, discount="learned"))
    agent = Agent(build_model(config), config, "made", 0)
    assert "The game has chance, which the model can't foresee: the errors hold its share." in model_text.text(
        validate(agent, depth=1, positions=30)).splitlines()


def test_long_games_are_followed_at_intervals_and_their_ends_not_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "LONGEST", 4)
    agent = made()
    assert validation.usual(agent, 3, 0) == (6, 0)
    found = validate(agent, depth=2, positions=60)
    for source in SOURCES:
        assert np.isnan(found.figures[source].value_error).all()


def test_values_of_discounted_games_are_not_compared_with_perfect_play(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact values count every move alike."""
    agent = made()
    monkeypatch.setattr(validation, "usual", lambda *_: (3, 100))
    for gamma, known in ((1.0, True), (0.9, False)):
        learner = dataclasses.replace(agent.config.learner, gamma=gamma)
        agent.config = dataclasses.replace(agent.config, learner=learner)
        found = validate(agent, depth=1, positions=30).figures
        assert all((not np.isnan(found[source].truth_error).any()) == known for source in SOURCES)


def test_how_long_games_are_is_told_by_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their median."""
    assert 5 <= validation.usual(made(), 3, 0)[0] <= 9
    monkeypatch.setattr(validation, "_lengths", lambda *_: [5, 5, 7, 9, 9])
    assert validation.usual(made(), 3, 0) == (7, validation.LONGEST)


def test_it_is_measured_to_twice_the_depth_of_training_unless_told_otherwise() -> None:
    agent = made()
    found = validate(agent, positions=30)
    assert found.depth == 2 * agent.config.unroll == 2 * found.unroll
    trust = {source: Trust(depth, 9, ()) for source, depth in zip(SOURCES, (5, 2, 4), strict=True)}
    assert dataclasses.replace(found, trust=trust).worst == SOURCES[1]
    good = Trust(5, 5, ())
    equal = dict(zip(SOURCES, (good, good, Trust(5, 6, ("value",))), strict=True))
    assert dataclasses.replace(found, trust=equal).worst == "random", "of equal depths, where something goes wrong"


def test_a_verdict_names_the_depth_and_what_goes_wrong_behind_it() -> None:
    agent = made()
    found = validate(agent, depth=1, positions=30)
    good = dict.fromkeys(SOURCES, Trust(6, 6, ()))

    def said(**changed: Trust) -> str:
        return model_text.sentence(dataclasses.replace(found, trust={**good, **changed}))

    assert said() == (
        f"Good to at least 6 moves here, as deep as was measured (it was trained on {agent.config.unroll}).")
    assert said(policy=Trust(1, 6, ("value", "ends"))) == (
        "Good to about 1 move here; at 2, its values drift and it is wrong about the end of games.")
    assert said(random=Trust(0, 6, ("policy",))) == (
        "Not good for a single move here: its policy is another one after a random move.")
    assert model_text.verdict(Trust(3, 6, ("rewards", "legality"))) == "good to 3, then rewards, legality"
    assert model_text.verdict(Trust(3, 3, ())) == "good to at least 3"


def test_the_probability_of_a_win_is_told_at_both_ends_beside_chance() -> None:
    found = validate(made(), depth=2, positions=30)
    one = np.ones(1, np.float32)
    wins = tuple(Calibration(one, one, np.ones(1, np.int64), error, error / 2) for error in (0.04, 0.06, 0.02))
    figures = {source: dataclasses.replace(figures, wins=wins) for source, figures in found.figures.items()}
    told = model_text.text(dataclasses.replace(found, figures=figures))
    assert told.count("win probability: ECE 0.040 at depth 0, 0.020 at depth 2 (perfect: 0.020)") == 3


@functools.cache
def short_report() -> ModelReport:
    return validate(made(), depth=3, positions=40)


def judged(**changed: Any) -> ModelReport:
    """A report of a model that is right, of values between -1 and 1, but for what is changed in the policy's part."""
    found = short_report()
    ones, zeros, many = np.ones(4, np.float32), np.zeros(4, np.float32), np.array([0, 30, 30, 30])
    right = dataclasses.replace(
        found.figures["policy"], positions=np.array([40, 40, 40, 19]), rewards=many, ends=many, spread=1.0, drift=zeros,
        kl=zeros, legal_mass=ones, recall=ones, false_rewards=zeros, ends_seen=ones, false_ends=zeros)
    figures = {**dict.fromkeys(SOURCES, right), "policy": dataclasses.replace(right, **changed)}
    return dataclasses.replace(
        found, figures=figures, trust={source: trusted(figures[source], found.spec) for source in SOURCES})


def columns(told: str, part: int) -> dict[str, list[str]]:
    """The table of a part by its header's words, of tables whose columns are all filled from the second row on."""
    lines = told.splitlines()
    top = [number for number, line in enumerate(lines) if line.startswith("depth  games")][part]
    rows = [line.split() for line in lines[top + 2 : top + 5]]
    return {name: [row[place] for row in rows] for place, name in enumerate(lines[top].split())}


def test_what_is_beyond_its_bound_is_marked_as_far_as_it_is_judged() -> None:
    drift = np.array([9.0, 0.34, 0.36, 0.5], np.float32)
    told = model_text.text(judged(drift=drift), 200)
    assert columns(told, 1)["drift"] == ["0.340", "0.360*", "0.500"]
    assert "*" not in " ".join(columns(told, 0)["drift"] + columns(told, 1)["KL"])
    assert "moves of the policy network: good to 1, then value; drift bound 0.350" in told.splitlines()
    assert "* beyond its bound; fewer than 20 games, rewards or ends are not judged" in told.splitlines()
    assert "*" not in model_text.text(judged(), 200)


@pytest.mark.parametrize(("figure", "name"), [("false_rewards", "unpaid"), ("false_ends", "early")])
def test_what_is_predicted_though_it_does_not_come_is_shown_where_it_is_too_much(figure: str, name: str) -> None:
    share = np.array([np.nan, 0.04, 0.06, 0.0], np.float32)
    told = model_text.text(judged(**{figure: share}), 200)
    assert columns(told, 1)[name] == ["4.0", "6.0*", "0.0"]
    assert name not in columns(told, 0)
    assert name not in model_text.text(judged(), 200)


def test_rewards_are_told_as_they_are_judged_over_all_depths_before() -> None:
    told = model_text.text(judged(recall=np.array([np.nan, 1.0, 0.5, 0.9], np.float32)), 200)
    assert columns(told, 1)["rewards"] == ["100.0", "75.0*", "80.0"]


def test_rows_that_are_not_judged_are_told_where_all_before_is_well() -> None:
    told = model_text.text(judged(), 200)
    said = "moves of the policy network: good to at least 2; at 3 there are fewer than 20 games; drift bound 0.350"
    assert said in told.splitlines()
    narrow = model_text.text(judged()).splitlines()
    start = narrow.index("moves of the policy network: good to at least 2")
    assert narrow[start + 1].startswith("  at 3 there are fewer than 20 games")


def test_a_wide_terminal_shows_all_columns_in_one_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = judged(false_rewards=np.full(4, 0.5, np.float32), false_ends=np.full(4, 0.5, np.float32))
    heads = []
    for width in (0, 120):
        monkeypatch.setattr(terminal, "columns_of", lambda _, width=width: width)
        terminal.show(report)
        lines = capsys.readouterr().out.splitlines()
        heads.append(sum(line.startswith("depth ") for line in lines))
        assert max(len(line) for line in lines if line.startswith(("depth", "    "))) <= (width or 80)
    assert heads == [4, 3]


def test_each_sources_drift_has_its_own_bound_in_the_picture(tmp_path: Path) -> None:
    draw(judged(spread=2.0), tmp_path / "m.svg")
    picture = (tmp_path / "m.svg").read_text()
    dashes = re.findall(r"stroke-dasharray: [\d.,]+; stroke-dashoffset: [\d.]+; stroke: (#\w+)", picture)
    assert {colour.upper() for colour in dashes} >= {colour.upper() for colour in COLOURS.values()}
    assert all(f">{label}</text>" in picture for label in ("bound", "perfect"))
    assert f"bins of {FEW} or more" in picture


def test_the_guide_explains_every_number_of_the_json() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/inspect.md").read_text()
    content = as_json.content(judged())
    part = content["sources"]["policy"]
    names = {*content, *content["bounds"], *part, *part["figures"], *part["figures"]["values"][0]}
    assert len(names) > 30
    assert [name for name in sorted(names) if f"`{name}`" not in guide] == []
