"""What the guide for contributors promises: a network, a planner, a loss or a game is one file and one entry."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from tiny_runs import tiny
from toys_auxiliary import Fullness

import games
from muzero.agent import load as load_agent
from muzero.bench.memory import selfplay_bytes
from muzero.config import Config, ConfigError, SearchConfig, kinds, search_settings, settings, to_json
from muzero.errors import SeamError
from muzero.model.auxiliary import AUXILIARY_LOSSES
from muzero.model.build import build_model, search_model
from muzero.model.counted import CountedModel
from muzero.model.learned import LearnedModel
from muzero.search.planners import PARTS, planner
from muzero.storage import runs
from muzero.training import loop
from selfplay.contract import PlannerError, check_plan, check_planner
from selfplay.planner import Plan

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
GAMES = ("tic_tac_toe", "connect_four", "pig(winscore=15)", "games.examples.subtraction:Subtraction")


def entered(monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], alias: str, name: str, kind: Any) -> None:
    """One more entry in a table of `muzero.config.kinds`, as if its file held it."""
    monkeypatch.setitem(table, name, kind)
    (section,) = (module for module in (settings, search_settings) if hasattr(module, alias))
    monkeypatch.setattr(section, alias, Literal[tuple(table)])


@dataclasses.dataclass(frozen=True)
class Count:
    """Settings that no planner has."""


def trained(config: Config, out: Path) -> None:
    assert loop.run(config, out) == 0
    newest = runs.newest(out)
    assert newest is not None
    agent, batch = load_agent(str(out)), games.make(config.game, 3)
    analysis = agent.search(agent.observe(batch), batch.legal())
    check_plan(analysis.result, batch.legal())


def test_a_network_is_one_file_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = ", ".join(kinds.NETWORKS)
    with pytest.raises(ConfigError, match=rf"model\.network: expected one of {known}, got 'toy'"):
        tiny(model__network="toy")
    entered(monkeypatch, kinds.NETWORKS, "Network", "toy", kinds.NetworkKind("toys_network"))
    config = tiny(model__network="toy", train__steps=4)
    assert {name.partition(".")[0] for name in build_model(config).state_dict()} == {"h", "g", "f"}
    trained(config, tmp_path / "run")


def test_a_planner_is_one_file_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    trained(tiny(search__algorithm="policy", play__algorithm="policy", train__steps=4), tmp_path / "run")


def test_a_planner_says_what_memory_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The games in lockstep are chosen by it before there is a planner."""
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    trees, none = (selfplay_bytes(tiny(search__algorithm=name))["cpu"] for name in ("gumbel", "policy"))
    assert 0 < none < trees


def test_noise_is_the_setting_that_the_planner_names(monkeypatch: pytest.MonkeyPatch) -> None:
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "noisy", kinds.PlannerKind("toys_planner", noise="c_scale"))
    assert SearchConfig(algorithm="noisy", c_scale=0.25).noise == 0.25
    assert SearchConfig(algorithm="noisy").with_noise(0.5) == SearchConfig(algorithm="noisy", c_scale=0.5)
    plain = SearchConfig(algorithm="policy", gumbel_scale=0.5, dirichlet_fraction=0.5)
    assert plain.noise == 0.0
    assert plain.with_noise(0.0) == plain
    with pytest.raises(ConfigError, match=r"^noise: expected 0, as the planner policy has none to set, got 0\.5$"):
        plain.with_noise(0.5)


SHARP = """
import toys_cli
toys_cli.enter()
from pathlib import Path
from _ext import settings
from muzero.cli import main
from muzero.storage import checkpoint, runs

OWN = ["--search.algorithm", "sharp", "--search.sharp.power", "3", "--play.algorithm", "sharp"]
SHORT = ["--steps", "2", "--train.actors", "0", "--train.evaluate-minutes", "0", "--selfplay.games", "8",
         "--replay.min-positions", "64", "--learner.batch", "16"]
assert main(["train", "tic_tac_toe", "--out", "run", *SHORT, *OWN]) == 0
assert main(["evaluate", "match", "run", "--against", "random", "--games", "2"]) == 0
print("stored:", checkpoint.read_config(runs.newest(Path("run"))).search.own(toys_cli.Sharpness))
print(settings.markdown("search"))
assert main(["train", "tic_tac_toe", "--out", "run", "--search.sharp.power", "101"]) == 2
"""
"""A program in which the planner `sharp` was entered before anything else was imported."""


def test_settings_of_a_planner_of_ones_own_are_a_section_of_its_entry(tmp_path: Path) -> None:
    paths = os.pathsep.join(str(ROOT / name) for name in ("", "tests", "docs"))
    done = subprocess.run([sys.executable, "-c", SHARP], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "stored: Sharpness(power=3.0, depth=1)\n" in done.stdout
    page = "```{setting} search.sharp.power\nExponent of the network's policy.\n\nDefault `2`; from 0 to 100.\n```"
    assert page in done.stdout
    assert "search.sharp.power: expected at least 0 and at most 100, got 101.0" in done.stdout + done.stderr


def test_a_search_is_stored_with_a_section_for_each_such_planner_besides_what_all_share() -> None:
    sections = [name for name, kind in kinds.PLANNERS.items() if kind.settings is not None]
    assert [*to_json(Config())["search"]] == ["simulations", *SearchConfig().tree_settings, "legality", *sections]
    with pytest.raises(ConfigError, match="expected a planner in PLANNERS whose settings are Count, got none"):
        SearchConfig().own(Count)


def test_a_planner_with_settings_must_not_have_the_name_of_another_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.PLANNERS, "simulations", kinds.PlannerKind("toys_sharp", settings=Count))
    with pytest.raises(TypeError, match="PLANNERS: 'simulations' is a setting of Taken; give the planner another name"):
        @search_settings.with_planners
        class Taken:
            simulations: int = 1


def test_an_auxiliary_loss_is_one_class_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(AUXILIARY_LOSSES, "toy", Fullness())
    told: list[dict[str, float]] = []
    config = tiny(train__steps=30, train__log_seconds=0.01)
    assert loop.run(config, tmp_path / "run", report=lambda progress: told.append(dict(progress.losses))) == 0
    found = [losses["fullness"] for losses in told if "fullness" in losses]
    assert 0 < found[-1] < found[0]
    assert {"toy.weight", "toy.bias"} <= load_agent(str(tmp_path / "run")).model.state_dict().keys()


# --- the contract of planners ---------------------------------------------------------------------------------------


def drawn(config: Config) -> LearnedModel:
    """A network of random weights."""
    torch.manual_seed(3)
    network = build_model(config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return network


def making(config: Config) -> Callable[[int], Any]:
    network = drawn(config)
    return lambda batch: planner(search_model(network), config.search, batch)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("algorithm", typing.get_args(search_settings.Algorithm))
def test_every_planner_keeps_the_contract(algorithm: str, game: str) -> None:
    learned = {"model__discount": "learned"}
    config = tiny(game=game, search__algorithm=algorithm, search__simulations=8, **learned)
    model = CountedModel(search_model(drawn(config)))
    check_planner(lambda batch: planner(model, config.search, batch), game, calls=lambda: model.calls, budget=8)
    assert (model.calls > 0) is (algorithm != "policy")


def test_a_planner_that_asks_its_model_for_more_than_it_says_is_found() -> None:
    config = tiny(search__simulations=8)
    model = CountedModel(search_model(drawn(config)))

    def make(batch: int) -> Any:
        return planner(model, config.search, batch)

    with pytest.raises(PlannerError, match="work: expected at most the budget, 7, got 8"):
        check_planner(make, "tic_tac_toe", budget=7)
    def greedy(plan: Plan, view: Any, legal: Any, *_: Any) -> dict[str, Any]:
        root = model.root(torch.as_tensor(view), torch.as_tensor(legal))
        for _ in range(plan.work + 1):
            model.step(root.latent, torch.as_tensor(plan.action).long())
        return {}

    with pytest.raises(PlannerError, match="model calls: expected at most 48, work 8 for each of 6 positions, got "):
        check_planner(lambda batch: Broken(make(batch), greedy), "tic_tac_toe", calls=lambda: model.calls)


def test_the_toy_planner_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    check_planner(making(tiny(search__algorithm="policy")), "tic_tac_toe")


class Broken:
    """A sound planner whose plans are spoilt."""

    def __init__(self, inner: Any, spoil: Callable[..., dict[str, Any]]) -> None:
        self.inner, self.spoil = inner, spoil
        self.view, self.refresh = inner.view, inner.refresh

    def plan(self, *args: Any) -> Any:
        plan = self.inner.plan(*args)
        spoilt = self.spoil(plan, *args)
        return dataclasses.replace(plan, **spoilt) if isinstance(spoilt, dict) else spoilt


DRAWS, BUFFER = np.random.default_rng(0), np.zeros((6, 9), np.float32)


def put(array: Any, value: float, where: Any = 0) -> Any:
    """A copy of `array` [N, A] with `value` in row 0 at `where`."""
    changed = array.copy()
    changed[0, where] = value
    return changed


def moved(plan: Plan, legal: Any) -> Any:
    """A policy with the same sum, the chance of one legal action below 0."""
    one, other = np.flatnonzero(legal[0])[:2]
    policy = put(plan.policy, -0.25, one)
    policy[0, other] += plan.policy[0, one] + 0.25
    return policy


def buffered(plan: Plan) -> Any:
    BUFFER[: len(plan.policy)] = plan.policy
    return BUFFER[: len(plan.policy)]


SPOILT: list[tuple[Callable[..., Any], str]] = [
    (lambda plan, *_: {"policy": plan.policy.astype(np.float64)}, r"policy: expected float32 \[6, 9\], got float64"),
    (lambda plan, *_: {"policy": plan.policy * 0.5}, "policy of row 0: expected a sum of 1"),
    (lambda plan, *_: {"policy": np.full_like(plan.policy, 1 / 9)}, "policy of row 0: expected none on illegal"),
    (lambda plan, _, legal, *__: {"policy": moved(plan, legal)}, "policy of row 0: expected finite chances of at lea"),
    (lambda plan, *_: {"policy": plan.policy.tolist()}, r"policy: expected float32 \[6, 9\], got list"),
    (lambda plan, *_: {"policy": buffered(plan)}, "policy: .* asked for the next one: its arrays must be its own"),
    (lambda plan, *_: {"value": plan.value * np.float32(np.nan)}, "value of row 0: expected a finite one"),
    (lambda plan, *_: {"action": np.full_like(plan.action, -1)}, "action of row 0: expected a legal one, from 0 to 8"),
    (lambda plan, *_: {"action": np.full_like(plan.action, 9)}, "action of row 0: expected a legal one, from 0 to 8"),
    (lambda plan, *_: {"action": np.full_like(plan.action, 10**6)}, "action of row 0: expected a legal one, from"),
    (lambda plan, _, legal, *__: {"action": legal.argmin(1).astype(np.int32)}, "of row 0: expected a legal one$"),
    (lambda plan, *_: {"visits": plan.visits - 5}, "visits of row 0: expected none below 0"),
    (lambda plan, _, legal, *__: {"visits": plan.visits + ~legal}, "visits of row 0: expected none of illegal"),
    (lambda plan, *_: {"weights": plan.policy - 1}, "weights of row 0: expected finite ones of at least 0"),
    (lambda plan, *_: {"weights": plan.policy / np.float32(0)}, "weights of row 0: expected finite ones of at least 0"),
    (lambda plan, *_: {"weights": np.ones(3)}, r"weights: expected int32 or float32 \[6, 9\], got float64 \[3\]"),
    (lambda plan, *_: {"weights": plan.policy * DRAWS.random(plan.policy.shape, np.float32) + plan.policy},
     "weights: expected the same plan when asked again"),
    (lambda plan, *_: {"value": DRAWS.random(len(plan.value), np.float32)}, "expected the same plan when asked again"),
    (lambda plan, *_: {"value": plan.value + np.float32(len(plan.value))}, "asked without the other rows"),
    (lambda plan, *_: {"work": 0}, "visits of row 0: expected no more than work, 0"),
    (lambda plan, *_: {"work": 2.5}, "work: expected an int of at least 0, got 2.5 of type float"),
    (lambda plan, *_: {"work": None}, "work: expected an int of at least 0, got None"),
    (lambda plan, *_: None, "plan: expected a Plan, got NoneType"),
    (lambda plan, *_: (1, 2), "plan: expected a Plan, got tuple"),
    (lambda plan, view, *_: view.fill(1) or {}, "view: expected it to be only read, got it changed by plan"),
    (lambda plan, view, legal, *_: legal.fill(True) or {}, "legal: expected it to be only read, got it changed"),
    (lambda plan, view, legal, seeds, *_: seeds.fill(0) or {}, "seeds: expected it to be only read, got it changed"),
]
"""What becomes of a plan, given what was asked, and what is said of it."""


@pytest.mark.parametrize(("spoil", "message"), SPOILT)
def test_a_broken_planner_is_found(spoil: Callable[..., Any], message: str) -> None:
    make = making(tiny())
    with np.errstate(divide="ignore", invalid="ignore"), pytest.raises(PlannerError, match=message):
        check_planner(lambda batch: Broken(make(batch), spoil), "tic_tac_toe", seed=1)


class Lacking(Broken):
    """A planner without anything to spoil."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, lambda *_: {})


@pytest.mark.parametrize(("changes", "message"), [
    ({"view": lambda games, obs, n: None}, r"view: expected an array \[6, \.\.\.\], got NoneType"),
    ({"view": lambda games, obs, n: obs[:2]}, r"view: expected an array \[6, \.\.\.\], got \[2, 3, 3, 3\]"),
    ({"view": lambda games, obs, n: games.reset() or obs}, "view: expected games to be only read, got other positions"),
    ({"refresh": None}, "refresh: expected a planner with this method, got Lacking"),
])
def test_a_planner_that_lacks_something_is_found(changes: dict[str, Any], message: str) -> None:
    def make(batch: int) -> Any:
        planner = Lacking(making(tiny())(batch))
        vars(planner).update(changes)
        return planner

    with pytest.raises(PlannerError, match=message):
        check_planner(make, "tic_tac_toe")


@pytest.mark.parametrize("part", PARTS)
def test_a_planner_of_a_model_that_lacks_something_is_told(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SimpleNamespace(**dict.fromkeys(PARTS))
    monkeypatch.setattr("toys_planner.planner", lambda *_: whole)
    entered(monkeypatch, kinds.PLANNERS, "Algorithm", "policy", kinds.PlannerKind("toys_planner"))
    make = making(tiny(search__algorithm="policy"))
    assert make(1) is whole
    delattr(whole, part)
    with pytest.raises(SeamError, match=f"^search.algorithm policy: expected a planner with {part}, got SimpleName"):
        make(1)


@pytest.mark.parametrize(("numbers", "message"), [
    ({"size": 0}, "size: expected a whole number of at least 1, got 0"), ({"size": 2.5}, "size: .* got 2.5"),
    ({"plies": -1}, "plies: expected a whole number of at least 0, got -1"), ({"seed": -1}, "seed: .* got -1"),
])
def test_what_can_not_be_asked_is_told(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(PlannerError, match=message):
        check_planner(making(tiny()), "tic_tac_toe", **numbers)
