"""What the guide for contributors promises: a network, a planner, a loss or a game is one file and one entry."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from tiny_runs import tiny
from toys_auxiliary import Fullness

import games
from muzero.agent import load as load_agent
from muzero.config import Config, ConfigError, kinds, settings
from muzero.model.auxiliary import AUXILIARY_LOSSES
from muzero.model.build import build_model, search_model
from muzero.search.planners import planner
from muzero.storage import runs
from muzero.training import loop
from selfplay.contract import PlannerError, check_plan, check_planner
from selfplay.planner import Plan

torch.set_num_threads(1)
GAMES = ("tic_tac_toe", "connect_four", "pig(winscore=15)", "games.examples.subtraction:Subtraction")


def entered(monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], alias: str, name: str, kind: Any) -> None:
    """One more entry in a table of `muzero.config.kinds`, as if its file held it."""
    monkeypatch.setitem(table, name, kind)
    monkeypatch.setattr(settings, alias, Literal[tuple(table)])


def trained(config: Config, out: Path) -> None:
    assert loop.run(config, out) == 0
    newest = runs.newest(out)
    assert newest is not None
    agent, batch = load_agent(str(out)), games.make(config.game, 3)
    analysis = agent.search(agent.see(batch), batch.legal())
    check_plan(analysis.result, batch.legal())


def test_a_network_is_one_file_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.network: 'toy' is none of mlp, resnet, pixels"):
        tiny(model__network="toy")
    entered(monkeypatch, kinds.NETWORKS, "Network", "toy", kinds.NetworkKind("toys_network"))
    config = tiny(model__network="toy", train__steps=4)
    assert {name.partition(".")[0] for name in build_model(config).state_dict()} == {"h", "g", "f"}
    trained(config, tmp_path / "run")


def test_a_planner_is_one_file_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    trained(tiny(search__algorithm="policy", play__algorithm="policy", train__steps=4), tmp_path / "run")


def test_an_auxiliary_loss_is_one_class_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(AUXILIARY_LOSSES, "toy", Fullness())
    told: list[dict[str, float]] = []
    config = tiny(train__steps=30, train__log_seconds=0.01)
    assert loop.run(config, tmp_path / "run", report=lambda progress: told.append(dict(progress.losses))) == 0
    found = [losses["fullness"] for losses in told if "fullness" in losses]
    assert 0 < found[-1] < found[0]
    assert {"toy.weight", "toy.bias"} <= load_agent(str(tmp_path / "run")).model.state_dict().keys()


# --- the contract of planners ---------------------------------------------------------------------------------------


def making(config: Config) -> Callable[[int], Any]:
    torch.manual_seed(3)
    network = build_model(config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return lambda batch: planner(search_model(network), config.search, batch)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("algorithm", typing.get_args(settings.Algorithm))
def test_every_planner_keeps_the_contract(algorithm: str, game: str) -> None:
    learned = {"model__discount": "learned"}
    check_planner(making(tiny(game=game, search__algorithm=algorithm, search__simulations=8, **learned)), game)


def test_the_toy_planner_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    check_planner(making(tiny(search__algorithm="policy")), "tic_tac_toe")


class Broken:
    """A sound planner whose plans are spoilt."""

    def __init__(self, inner: Any, spoil: Callable[[Plan], dict[str, Any]]) -> None:
        self.inner, self.spoil = inner, spoil
        self.view = inner.view

    def plan(self, *args: Any) -> Plan:
        plan = self.inner.plan(*args)
        return dataclasses.replace(plan, **self.spoil(plan))


DRAWS = np.random.default_rng(0)


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda plan: {"policy": plan.policy.astype(np.float64)}, r"policy: expected float32 \[6, 9\], got float64"),
    (lambda plan: {"policy": plan.policy * 0.5}, "policy of row 0: expected a sum of 1"),
    (lambda plan: {"policy": np.full_like(plan.policy, 1 / 9)}, "policy of row 0: expected none on illegal actions"),
    (lambda plan: {"value": plan.value * np.float32(np.nan)}, "value of row 0: expected a finite one"),
    (lambda plan: {"action": np.full_like(plan.action, -1)}, "action of row"),
    (lambda plan: {"value": DRAWS.random(len(plan.value), np.float32)}, "expected the same plan when asked again"),
    (lambda plan: {"value": plan.value + np.float32(len(plan.value))}, "asked without the other rows"),
    (lambda plan: {"work": 0}, "work: expected between 1"),
])
def test_a_broken_planner_is_found(spoil: Callable[[Plan], dict[str, Any]], message: str) -> None:
    make = making(tiny())
    with pytest.raises(PlannerError, match=message):
        check_planner(lambda batch: Broken(make(batch), spoil), "tic_tac_toe", seed=1)
