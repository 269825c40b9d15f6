"""What random games show, and the numbers chosen by it: supports that hold a game's returns, moves that see its end."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scaled
import torch

import games
from muzero import presets
from muzero.bench import sizing
from muzero.commands import train_choices
from muzero.commands.train_options import named_in
from muzero.config import BY_GAME, Config, ConfigError, ScalarConfig, by_game, check_outcomes, check_resolved, replace
from muzero.model.learned import LearnedModel
from muzero.presets import general, survey
from muzero.presets.survey import MOST_END, MOST_MOVES, Survey
from muzero.storage import metrics
from muzero.training import loop

torch.set_num_threads(1)
OPEN = dataclasses.replace(general.WIDE, bins=0)


def settled(game: str, **changes: object) -> Config:
    preset = presets.load(game)
    return survey.settle(replace(preset, {name.replace("__", "."): value for name, value in changes.items()}))[0]


def test_a_survey_is_a_function_of_the_game() -> None:
    found = survey.measure(presets.load("2048"))
    assert found == survey.measure(presets.load("2048"))
    assert found.ended == found.games
    assert 80 < found.moves < 160
    assert 4 < found.unit < 20 < found.largest_reward < found.largest_return


def test_slow_games_are_told_of_while_they_are_played(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(survey, "TELL_SECONDS", 0.0)
    survey.measure(presets.load("scaled:Walk"), said.append)
    assert len(said) == 40
    assert said[0] == "0 of 16 random games finished, 0 moves made"
    assert said[-1] == f"0 of 16 random games finished, {16 * 39} moves made"


@pytest.mark.parametrize("name", sorted(BY_GAME))
def test_what_is_left_to_the_game_is_refused_until_it_is_chosen(name: str) -> None:
    config = replace(settled("2048"), {"selfplay.games": 4, "search.threads": 1, name: BY_GAME[name]})
    assert by_game(config) == [name]
    with pytest.raises(ConfigError, match=rf"^{name}: expected a number here, got 0 \(automatic\)"):
        check_resolved(config)
    check_resolved(survey.settle(config)[0])
    if name.startswith("model"):
        with pytest.raises(ConfigError, match=r"got 0 \(automatic\)"):
            LearnedModel(games.spec("2048"), config.model, 1.0)


@pytest.mark.parametrize("game", ["2048", "stones_and_gems", "cliff_walking", "deep_sea"])
def test_a_support_holds_all_that_a_game_with_bounds_can_pay(game: str) -> None:
    spec, config = games.spec(game), settled(game)
    for support in (config.model.value, config.model.reward):
        assert support.reach[0] <= min(0.0, spec.min_return)
        assert spec.max_return <= support.reach[1]
        assert support.bins == 1 + support.high - support.low


def test_usual_sizes_keep_the_usual_support() -> None:
    for game in ("gym/CartPole-v1", "cliff_walking"):
        assert settled(game).model.value == general.WIDE


@pytest.mark.parametrize(("game", "factor"), [("Thousandths", 1e-3), ("Thousands", 1e3)])
def test_a_scale_follows_that_of_the_rewards(game: str, factor: float) -> None:
    plain, scaled = (settled(f"scaled:{name}").model.value for name in ("Walk", game))
    assert (plain.scale, plain.offset) == (1.0, 0.0)
    assert scaled.scale / factor == pytest.approx(1.0, abs=0.5), "about the size of a reward"
    assert scaled.bins == plain.bins


def test_a_large_constant_becomes_an_offset() -> None:
    config = settled("scaled:Constant")
    reward, value = config.model.reward, config.model.value
    assert reward.offset == 1000.0
    assert reward.reach[0] <= 0.0, "past the end nothing is paid"
    assert 10_000 < value.offset < 30_000
    assert value.reach[0] <= 0.0
    assert value.reach[1] >= 40 * 1004


def test_what_follows_a_time_limit_is_no_end() -> None:
    """Forty moves of 1000 and an end, or a limit after which it would go on for ever."""
    assert survey.measure(presets.load("scaled:Constant")).value_offset < 30_000
    assert survey.measure(presets.load("scaled:Endless")).value_offset == pytest.approx(1000 / 0.003, rel=0.01)


def survey_of(**changes: float | tuple[float, float]) -> Survey:
    values: dict[str, float | tuple[float, float]] = {
        "games": 16, "moves": 100, "ended": 16, "reward_offset": 0.0, "value_offset": 0.0, "unit": 1.0,
        "largest_reward": 1.0, "largest_return": 50.0, "rewards": (0.0, 1.0), "returns": (0.0, 50.0)}
    return Survey(**{**values, **changes})  # type: ignore[arg-type]


def test_without_bounds_the_support_leaves_room_for_better_play() -> None:
    spec = dataclasses.replace(games.spec("2048"), min_return=-math.inf, max_return=math.inf)
    assert survey.value_reach(survey_of(), spec, 1.0, 1000) == 500.0
    assert survey.value_reach(survey_of(), spec, 1.0, 200) == 200.0, "no more than the largest reward in every move"
    assert survey.reward_reach(survey_of(), spec) == 10.0
    absurd = dataclasses.replace(spec, min_return=-1e12, max_return=1e12)
    assert survey.value_reach(survey_of(), absurd, 1.0, 1000) == 500.0, "a bound that says nothing"


@pytest.mark.parametrize("reach", [0.0, 3.0, 422.0, 2e4, 1e9])
@pytest.mark.parametrize("unit", [0.0, 1e-6, 1.0, 250.0])
def test_a_support_reaches_as_far_as_wanted(reach: float, unit: float) -> None:
    found = survey.fitting(OPEN, unit, 7.0, reach)
    assert found.reach[1] - 7.0 >= reach * (1 - 1e-9)
    assert 7.0 - found.reach[0] >= reach * (1 - 1e-9)
    assert 20.0 <= found.high <= MOST_END
    assert found.bins == 2 * found.high + 1


@pytest.mark.parametrize("size", [1e30, 3e38, 1e-40])
def test_rewards_that_no_support_states_are_refused_with_the_mend(monkeypatch: pytest.MonkeyPatch, size: float) -> None:
    shown = survey_of(unit=size, largest_reward=2 * size, largest_return=40 * size)
    monkeypatch.setattr(survey, "measure", lambda *_: shown)
    with pytest.raises(ConfigError, match=r"^scaled:Walk: expected rewards of a size between 1e-12 and 1e\+12, got "
                                          rf"about {re.escape(str(size))}, .*: rescale the game's rewards"):
        settled("scaled:Walk")


def test_a_scale_has_few_digits() -> None:
    assert survey.fitting(OPEN, 1.0, 0.0, 333_000.0).scale == 5.7
    assert survey.fitting(OPEN, 0.0237, 0.0, 1.0).scale == 0.02


def losses(game: str, out: Path, scale: float) -> list[float]:
    config = replace(presets.load(game), {
        "model.value.bins": 41, "model.reward.bins": 41, "model.value.scale": scale, "model.reward.scale": scale,
        "selfplay.games": 8, "search.simulations": 8, "search.threads": 1, "replay.min_positions": 400,
        "train.steps": 30, "train.horizon": 30, "train.publish_steps": 3, "train.log_seconds": 0.0,
        "train.device": "cpu", "train.evaluate_minutes": 0.0, "train.checkpoint_seconds": 1e6})
    loop.run(config, out)
    return [record["loss/total"] for record in metrics.read(out) if "loss/total" in record]


@pytest.mark.parametrize(("game", "factor"), [("scaled:Thousandths", 2.0**-10), ("scaled:Thousands", 2.0**10)])
def test_learning_is_the_same_at_any_scale(game: str, factor: float, tmp_path: Path) -> None:
    """Search, targets and losses, step by step; without its scale the game is learned otherwise."""
    plain = losses("scaled:Walk", tmp_path / "plain", 1.0)
    assert losses(game, tmp_path / "scaled", factor) == pytest.approx(plain, rel=1e-4)
    assert losses(game, tmp_path / "unscaled", 1.0) != pytest.approx(plain, rel=0.05)


@pytest.mark.parametrize(("game", "epsilon"), [("scaled:Walk", 1e-8), ("scaled:Thousandths", 1e-11)])
def test_a_search_tells_small_values_apart(game: str, epsilon: float) -> None:
    config = settled(game)
    for search in (config.search, config.play):
        assert epsilon / 2 < search.epsilon < 2 * epsilon
    assert settled(game, play__epsilon=1e-3).play.epsilon == 1e-3


def test_numbers_that_were_given_stay() -> None:
    config = settled("2048", model__value__scale=500.0, model__reward__high=70.0, selfplay__max_moves=77)
    assert config.model.value.scale == 500.0
    assert config.model.reward.high == 70.0
    assert config.selfplay.max_moves == 77
    whole = replace(presets.load("2048"), {"model.value.bins": 5, "model.reward.bins": 5, "selfplay.max_moves": 9})
    assert survey.settle(whole) == (whole, None)


def test_a_scale_set_by_hand_stays_and_the_better_one_is_named() -> None:
    said: list[str] = []
    config = replace(presets.load("2048"), {"model.value.scale": 0.125})
    value, usual = survey.settle(config, tell=said.append)[0].model.value, settled("2048").model.value
    assert (value.scale, value.high, value.bins) == (0.125, MOST_END, 601)
    better = re.search(r"^warning: --model\.value\.scale 0\.125, set by hand, covers values from -7,\d{3} to 7,\d{3}, "
                       r"but up to 20,\d{3} may occur: --model\.value\.scale (\S+) covers them$", said.pop())
    assert said == []
    assert better is not None
    assert float(better[1]) == usual.scale
    again = survey.settle(replace(config, {"model.value.scale": usual.scale + 1.0}), tell=said.append)[0].model.value
    assert (again.scale, said) == (usual.scale + 1.0, [])


@pytest.mark.parametrize("end", ["low", "high"])
def test_an_end_set_by_hand_stays_and_the_scale_grows(end: str) -> None:
    sign = -1.0 if end == "low" else 1.0
    value = settled("2048", **{f"model__value__{end}": 21.0 * sign}).model.value
    assert getattr(value, end) == 21.0 * sign
    assert value.scale > settled("2048").model.value.scale
    assert max(map(abs, value.reach)) >= games.spec("2048").max_return
    below_nothing = survey.fitting(dataclasses.replace(OPEN, low=0.0), 1.0, 0.0, 5e4, {"low"})
    assert (below_nothing.low, below_nothing.bins) == (0.0, 1 + below_nothing.high)
    assert below_nothing.reach[1] >= 5e4


def test_an_offset_set_by_hand_stays_and_all_is_stated_from_there() -> None:
    usual = settled("scaled:Constant").model.value
    moved = settled("scaled:Constant", model__value__offset=9.0).model.value
    assert moved.offset == 9.0
    assert moved.reach[1] >= usual.reach[1] * 0.99


def test_numbers_are_set_by_hand_though_the_preset_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    preset = presets.load("2048")
    asked = named_in(["--model.value.scale", "1", "--selfplay.part-moves=0", "--play.epsilon", "1e-8", "-x"])
    assert asked == {"model.value.scale", "selfplay.part_moves", "play.epsilon"}
    assert train_choices.surveyed(preset, None, asked)[0].model.value.scale == 1.0
    assert "--model.value.scale" not in capsys.readouterr().err
    assert train_choices.surveyed(presets.load("go"), None, asked)[0].selfplay.part_moves == 0
    assert "--selfplay.part-moves" not in capsys.readouterr().err
    small = survey.settle(presets.load("scaled:Thousandths"), asked={"play.epsilon"})[0]
    assert small.search.epsilon < small.play.epsilon == 1e-8


def test_a_run_that_goes_on_keeps_its_numbers() -> None:
    stored = replace(settled("2048"), {"model.value.scale": 3.0, "selfplay.max_moves": 5_000})
    assert survey.settle(presets.load("2048"), stored)[0].model.value == stored.model.value
    assert sizing.settle(presets.load("2048"), stored).selfplay.max_moves == 5_000


def test_clipped_rewards_are_measured_as_the_learner_sees_them() -> None:
    assert survey.measure(replace(presets.load("2048"), {"selfplay.clip_rewards": True})).largest_reward == 1.0


@pytest.mark.parametrize(("game", "moves", "part"), [
    ("tic_tac_toe", 512, 0), ("hex", 121, 0), ("checkers", 300, 0), ("banqi", 684, 0), ("go", 722, 300),
    ("chinese_checkers", 3_201, 300), ("stones_and_gems", 600, 300), ("2048", 1_000, 300)])
def test_games_are_cut_where_random_ones_are_long_over(game: str, moves: int, part: int) -> None:
    config = settled(game)
    assert (config.selfplay.max_moves, config.selfplay.part_moves) == (moves, part)


def test_no_game_goes_on_for_ever() -> None:
    config = settled("gym/CliffWalking-v1")
    assert config.selfplay.max_moves == MOST_MOVES
    assert config.selfplay.part_moves == 300


@pytest.mark.parametrize(("bound", "reach"), [(1.0, 1.0), (0.001, 0.001), (3.0, 422.4), (1_000.0, 4_224.0)])
def test_outcomes_of_any_size_are_stated(bound: float, reach: float) -> None:
    """Games that pay at their end alone need no random games: their bounds say it."""
    spec = dataclasses.replace(games.spec("tic_tac_toe"), min_return=-bound, max_return=bound)
    config = general.preset(spec)
    assert by_game(config) == []
    assert config.model.value.reach == pytest.approx((-reach, reach), rel=1e-3)
    check_outcomes(config, spec)
    assert config.search.scale == ("fixed" if bound <= 1.0 else "minmax")


def test_the_command_says_what_was_chosen_and_keeps_what_was_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = train_choices.chosen(replace(presets.load("2048"), {"search.threads": 1}), tmp_path, None)
    said = capsys.readouterr().err
    assert "16 random games: 115 moves (median), 16 ended on their own" in said
    assert "chosen for this game: --model.value.low -49, --model.value.high 49, --model.value.bins 99" in said
    assert "--selfplay.max-moves 1000" in said
    assert "rewards from 0 to 268, discounted returns from 0 to 1,769\n" in said
    assert json.loads((tmp_path / "survey.json").read_text())["moves"] == 115
    assert train_choices.chosen(config, tmp_path, config) == config
    assert capsys.readouterr().err == ""


def said_of(game: str, capsys: pytest.CaptureFixture[str], **changes: object) -> str:
    """What is said when the numbers of a new run are chosen."""
    preset = presets.load(game)
    train_choices.surveyed(replace(preset, {name.replace("__", "."): value for name, value in changes.items()}), None)
    return capsys.readouterr().err


def test_what_was_paid_is_told_with_its_sign(capsys: pytest.CaptureFixture[str]) -> None:
    assert "rewards from -100 to -1, discounted returns from -128 to -100\n" in said_of("cliff_walking", capsys)
    assert "rewards of 1, discounted returns from 1 to " in said_of("gym/CartPole-v1", capsys)
    none = survey_of(unit=0.0, largest_reward=0.0, largest_return=0.0, rewards=(-0.0, 0.0), returns=(0.0, 0.0))
    assert train_choices.paid(none) == "no rewards"


def test_what_was_chosen_says_what_it_states_without_what_was_set_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    wide = "--model.value.low -20, --model.value.high 20, --model.value.bins 41"
    usual = said_of("cliff_walking", capsys)
    assert f"{wide} (values from -422 to 422), --model.reward.low -20" in usual
    assert "--model.reward.bins 41 (rewards from -422 to 422)" in usual
    assert f"{wide} (values from -12,673 to 12,673)" in said_of("cliff_walking", capsys, model__value__scale=30.0)
    assert "--model.value.scale 9 (values" in said_of("2048", capsys)
    given = said_of("2048", capsys, model__value__scale=30.0, selfplay__part_moves=77)
    assert "--model.value.scale" not in given
    assert "--selfplay.max-moves 1000\n" in given


def test_scale_and_offset_are_those_of_the_numbers_stated() -> None:
    support = ScalarConfig(low=-20.0, high=20.0, bins=41, transform=True, scale=1e3, offset=5e5)
    assert support.reach == pytest.approx((5e5 - 422.4e3, 5e5 + 422.4e3), rel=1e-3)


class Held(scaled.Walk):
    """Holds something until it is closed."""

    spec = scaled.spec("held")
    open: ClassVar[int] = 0

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        Held.open += 1

    def close(self) -> None:
        Held.open -= 1


def test_games_that_were_looked_at_are_closed() -> None:
    config = presets.load("test_survey:Held")
    before = Held.open
    survey.measure(config)
    assert Held.open == before
