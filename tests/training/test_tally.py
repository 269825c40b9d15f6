"""What a run counts of its own data and says in words: clipped targets, games whose end nobody saw."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import last, tiny

import games
from muzero.config import ModelConfig, ScalarConfig
from muzero.model import scalar
from muzero.replay.batch import Batch
from muzero.storage import metrics
from muzero.training import loop
from muzero.training.interrupt import Interrupt
from muzero.training.tally import FEW, RECENT, Ends, Outside, Supports, possible
from muzero.view.progress import Progress

WIDE = ScalarConfig(low=-20.0, high=20.0, bins=41, transform=True)
ANY = (-math.inf, math.inf)


def batch(value: list[list[float]], reward: list[list[float]], trained: list[list[bool]]) -> Batch:
    rows, steps = len(value), len(value[0])
    nothing = np.zeros((rows, steps), dtype=np.bool_)
    return Batch(
        obs=np.zeros((rows, 1)), action=np.zeros((rows, steps - 1), np.int64), reward=np.array(reward, np.float32),
        next_mover=np.zeros((rows, steps - 1), np.int64), value=np.array(value, np.float32),
        policy=np.zeros((rows, steps, 2), np.float32), legal=np.zeros((rows, steps, 2), np.bool_), policy_mask=nothing,
        in_game=np.array(trained), value_mask=np.array(trained), later_obs=None, weight=np.ones(rows, np.float32),
        place=np.zeros((rows, steps), np.int64))


@pytest.mark.parametrize("config", [WIDE, dataclasses.replace(WIDE, scale=50.0, offset=-7.0), ScalarConfig()])
def test_what_is_counted_is_what_two_hot_clips(config: ScalarConfig) -> None:
    low, high = config.reach
    targets = np.array([low - 1, low, (low + high) / 2, high, high + 1], np.float32)
    count = Outside(config, ANY)
    count.add(targets)
    assert (count.seen, count.outside) == (5, 2)
    coded = scalar.decode(torch.log(scalar.two_hot(torch.from_numpy(targets), config) + 1e-30), config).numpy()
    assert coded == pytest.approx(targets.clip(low, high), rel=1e-3, abs=1e-3)
    assert count.newest() == 0.4
    count.add(targets[1:4])
    assert (count.newest(), count.share) == (0.0, 0.25), "of the newest, of all"


def test_a_plain_number_has_no_end() -> None:
    assert ScalarConfig(kind="scalar").reach == (-math.inf, math.inf)
    count = Outside(ScalarConfig(kind="scalar"), ANY)
    count.add(np.array([1e30], np.float32))
    assert count.outside == 0


def test_only_known_targets_are_counted_and_the_setting_is_named() -> None:
    supports = Supports(ModelConfig(value=WIDE, reward=WIDE), games.spec("2048"))
    assert supports.advice() == []
    assert math.isnan(supports.newest()["value_outside"])
    supports.add(batch([[500.0, 500.0], [5.0, 500.0]], [[1.0], [9e9]], [[True, True], [True, False]]))
    assert supports.newest() == {"value_outside": pytest.approx(2 / 3), "reward_outside": 0.5}
    value, reward = supports.advice()
    assert value.startswith("66.7 % of the value targets lie outside the range of model.value, -422.4 to 422.4")
    assert value.endswith("start a new run with --model.value.scale 2.4")
    assert "--model.reward.scale" in reward


@pytest.mark.parametrize(("config", "target", "setting"), [
    (WIDE, 500.0, "scale 2.4"), (WIDE, -500.0, "scale 2.4"),
    (dataclasses.replace(WIDE, scale=512.0), 3e5, "scale 1500"),
    (dataclasses.replace(WIDE, offset=300.0), 900.0, "scale 2.9"), (ScalarConfig(), 3.0, "scale 6"),
    (dataclasses.replace(WIDE, low=0.0), 500.0, "scale 2.4"), (dataclasses.replace(WIDE, low=0.0), -12.0, "low -5"),
    (ScalarConfig(low=-9.0, high=0.0, scale=2.0), 7.0, "high 7")])
def test_the_setting_told_states_twice_what_came(config: ScalarConfig, target: float, setting: str) -> None:
    count = Outside(config, ANY)
    count.add(np.array([target, config.offset, math.inf, math.nan], np.float32))
    assert count.wider() == setting
    name, value = setting.split()
    better = dataclasses.replace(config, **{name: float(value)})
    again = Outside(better, ANY)
    again.add(np.array([target + (target - config.offset)], np.float32))
    assert again.outside == 0


def test_no_more_is_told_than_a_game_can_pay() -> None:
    count = Outside(ScalarConfig(low=-0.5, high=0.5), (-1.0, 1.0))
    count.add(np.array([1.0, -1.3], np.float32))
    assert count.wider() == "scale 2"


@pytest.mark.parametrize(("game", "ends"), [
    ("tic_tac_toe", (-1.0, 1.0)), ("2048", ANY), ("catch", (-1.0, 1.0))])
def test_a_search_that_expects_more_than_a_game_can_pay_is_no_narrow_support(
        game: str, ends: tuple[float, float]) -> None:
    """Root values of an early network lie beyond 1 where 1 is a win."""
    assert possible(games.spec(game)) == ends
    count = Outside(ScalarConfig(), ends)
    count.add(np.array([-1.2, 0.5, 1.1], np.float32))
    assert count.outside == (0 if ends == (-1.0, 1.0) else 2)
    narrow = Outside(ScalarConfig(low=-0.5, high=0.5), ends)
    narrow.add(np.array([-1.2, 0.5, 1.1], np.float32))
    assert narrow.outside == 2


def test_hardly_any_targets_outside_are_no_warning() -> None:
    supports = Supports(ModelConfig(value=WIDE), games.spec("2048"))
    supports.add(batch([[500.0] + [5.0] * 20_000], [[1.0] * 20_000], [[True] * 20_001]))
    assert supports.advice() == []
    assert 0.0 < supports.newest()["value_outside"] < 1e-4
    supports.add(batch([[500.0] * 2], [[1.0]], [[True] * 2]))
    assert len(supports.advice()) == 1


def test_sums_of_rewards_are_counted_where_sums_are_stated() -> None:
    supports = Supports(ModelConfig(reward=ScalarConfig(low=-2.0, high=2.0, bins=5), prefix=2), games.spec("2048"))
    supports.add(batch([[0.0] * 4], [[1.5, 1.5, 1.5]], [[True] * 4]))
    assert supports.newest()["reward_outside"] == pytest.approx(1 / 3), "1.5, 3 and, anew, 1.5"


def test_most_games_cut_is_said_once_there_are_enough() -> None:
    ends = Ends()
    ends.add(0, FEW - 1)
    assert ends.advice(300, 1_000) == []
    ends.add(1, 0)
    assert ends.advice(300, 1_000) == [
        "9 of the newest 10 games were cut off at selfplay.max_moves 300, before their end: "
        "set --selfplay.max-moves 600"]
    assert ends.advice(300, 400)[0].endswith("set --selfplay.max-moves 400"), "no game is longer"
    ends.add(RECENT // 2, 0)
    assert ends.advice(300, 1_000) == []


def test_cut_games_and_clipped_targets_are_reported(tmp_path: Path) -> None:
    """Six moves end few games of Tic-Tac-Toe; a support of +-0.5 holds no win."""
    half = {"model__value__low": -0.5, "model__value__high": 0.5}
    shown: list[Progress] = []
    run = loop.Run(tiny(**half, selfplay__max_moves=6, train__log_seconds=0.0), tmp_path)
    run.go(shown.append, Interrupt())
    report = shown[-1]
    assert 0 < report.cut < report.games
    value, cut = report.warnings
    assert "--model.value.scale 2" in value
    assert "selfplay.max_moves 6" in cut
    assert "set --selfplay.max-moves 9" in cut
    records = [record for record in metrics.read(tmp_path) if "check/value_outside" in record]
    assert any(0 < record["check/value_outside"] < 1 for record in records)
    assert not any(record["check/reward_outside"] > 0 for record in records)
    assert records[-1]["run/cut"] == report.cut
    again = loop.Run(tiny(**half, selfplay__max_moves=6), tmp_path)
    again.resume(last(tmp_path))
    assert (again.state.games, again.state.cut) == (report.games, report.cut)
