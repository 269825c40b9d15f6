"""Settings: every number has bounds, every bound holds, and settings that belong together are set together."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cpp_mcts
from games import list_games
from muzero import presets
from muzero.config import (
    RETIRED,
    Config,
    ConfigError,
    LearnerConfig,
    SearchConfig,
    from_json,
    replace,
    settings,
    to_json,
)
from muzero.config import config as config_module
from muzero.config.bounds import BOUNDS, bounds
from selfplay.naming import names_mcts

NAN, INF = math.nan, math.inf
TOGETHER: dict[str, dict[str, Any]] = {
    "learner.reconstruction_weight": {"model.reconstruction": True},
    "learner.consistency_weight": {"model.consistency": True},
    "replay.min_positions": {"replay.capacity": 1 << 28, "replay.memory_limit_mb": 1 << 30},
}
"""Other settings that a number needs beside it."""


TOO_CLOSE = ((0.0, 5e-324), (1.0, 1.0000009), (1e9 - 1.0, 1e9), (2.0, 2.0))
"""Bounds of a search."""


def numbers(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every number and schedule."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if dataclasses.is_dataclass(value):
            yield from numbers(value, f"{path}{field.name}.")
        elif isinstance(value, (int, float, tuple)) and not isinstance(value, bool):
            yield f"{path}{field.name}", value


NUMBERS = dict(numbers(Config()))


def set_to(name: str, value: float) -> Config:
    held = NUMBERS[name]
    return replace(Config(), {**TOGETHER.get(name, {}), name: [[0.0, value]] if isinstance(held, tuple) else value})


def test_every_number_has_bounds_and_every_bound_a_number() -> None:
    assert {name for name in NUMBERS if not name.startswith("play.")} == set(BOUNDS)
    assert all(low < high and math.isfinite(low) and math.isfinite(high) for low, high in BOUNDS.values())


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_what_lies_outside_is_refused_by_name(name: str) -> None:
    low, high = bounds(name)
    whole = isinstance(NUMBERS[name], int)
    outside: list[float] = [int(low) - 1, int(high) + 1] if whole else [NAN, INF, -INF, low - 1.0, high * 2.0]
    if low == settings.POSITIVE:
        outside.append(0.0)
    for value in outside:
        with pytest.raises(ConfigError, match=rf"^{name}: expected"):
            set_to(name, value)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_the_default_lies_inside(name: str) -> None:
    low, high = bounds(name)
    held = NUMBERS[name]
    for value in [number for _, number in held] if isinstance(held, tuple) else [held]:
        assert low <= value <= high


@pytest.mark.parametrize("name", ["train.seed", "search.simulations", "play.threads", "model.width", "train.actors",
                                  "selfplay.games", "learner.unroll", "learner.clip", "train.log_seconds"])
def test_the_bounds_themselves_are_allowed(name: str) -> None:
    low, high = bounds(name)
    for value in (low, high):
        assert dict(numbers(set_to(name, value)))[name] == value


def test_a_number_without_bounds_is_said_to_have_none() -> None:
    """A field was written without them, or the search was not built after its row was."""
    field = r"expected bounds, got none: write Annotated\[\.\.\., Between\(low, high\)\] at its field"
    with pytest.raises(ConfigError, match=rf"^learner\.none: {field}$"):
        bounds("learner.none")
    with pytest.raises(ConfigError, match=rf"^search\.none: {field}, or its row in .* build with make setup$"):
        bounds("play.none")


def test_the_search_s_bounds_are_those_of_the_search_itself() -> None:
    own = cpp_mcts.limits()
    shared = {field.name for field in dataclasses.fields(SearchConfig)} & set(own)
    assert {f"search.{name}" for name in shared} == {name for name in BOUNDS if re.fullmatch(r"search\.\w+", name)}
    assert all(bounds(f"play.{name}") == own[name] for name in shared)
    assert all(bounds(f"search.{name}") == own[name] for name in shared - {"threads"})
    assert bounds("search.threads") == (0, own["threads"][1]), "0: by the machine"


@pytest.mark.parametrize("name", sorted(name for name in NUMBERS if re.fullmatch(r"play\.\w+", name)))
def test_a_config_takes_what_the_search_takes(name: str) -> None:
    low, high = bounds(name)
    whole = isinstance(NUMBERS[name], int)
    outside = [int(low) - 1, int(high) + 1] if whole else [math.nextafter(low, -INF), math.nextafter(high, INF)]
    beside = {"play.low": ("high", 1e4), "play.high": ("low", -1e4)}
    for value in (low, high, *outside):
        settings: dict[str, Any] = {"algorithm": "puct", "simulations": 3, name.removeprefix("play."): value}
        if name in beside:
            other, away = beside[name]
            settings[other] = value + away
        taken = takes(replace, Config(), {f"play.{key}": setting for key, setting in settings.items()})
        search = SearchConfig(**settings)
        assert taken == takes(cpp_mcts.memory_needed, 1, 2, search.simulations, **search.tree_settings)
        assert taken or value in outside or name in beside, "there is no high above the highest low"


def takes(call: Callable[..., object], *arguments: Any, **named: Any) -> bool:
    try:
        call(*arguments, **named)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("points", [[[0.0, 16.0], [NAN, 32.0]], [[NAN, 16.0]], [[0.0, 16.0], [INF, 32.0]], [[0.5, 1.0]],
                                    [[0.0, 16.0], [-1.0, 32.0]]])
def test_a_schedule_starts_at_0_and_rises_to_1(points: list[list[float]]) -> None:
    with pytest.raises(ConfigError, match=r"learner\.batch: expected starts that rise"):
        replace(Config(), {"learner.batch": points})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learner.reconstruction_weight": 1.0}, r"model\.reconstruction .*learner\.reconstruction_weight"),
        ({"model.reconstruction": True}, r"model\.reconstruction .*learner\.reconstruction_weight"),
        ({"learner.consistency_weight": 1.0}, r"model\.consistency .*learner\.consistency_weight"),
        ({"model.consistency": True}, r"model\.consistency .*learner\.consistency_weight"),
        ({"learner.consistency_steps": 99},
         r"learner\.consistency_steps: expected at most learner\.unroll \(\d+\), got 99"),
        ({"replay.prioritized": True, "replay.window_fraction": 0.5},
         r"replay\.window_fraction: expected 1 with replay\.prioritized"),
        ({"replay.window_fraction": 0.0}, r"window_fraction and replay\.min_window"),
        ({"replay.capacity": 10**12}, r"replay\.capacity.*memory_limit_mb"),
        ({"replay.capacity": 10}, r"replay\.capacity.*min_positions"),
        ({"search.scale": "minmax", "search.high": -1.0},
         r"search: expected search\.high at least .* above search\.low"),
        *(({f"{part}.low": low, f"{part}.high": high}, rf"^{part}: expected {part}\.high at least .* above {part}\.low")
          for part in ("search", "play") for low, high in TOO_CLOSE),
        ({"train.evaluate_games": 3}, r"train\.evaluate_games: expected an even number"),
        ({"train.clock": "cpu"}, r"train\.actors to 0"),
        ({"train.steps": 0}, r"expected a limit"),
        ({"train.evaluate_against": "randon"}, r"nearest: random"),
        ({"train.evaluate_against": "mcts:99999999999999999999"}, r"train\.evaluate_against.*10,000,000"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        replace(Config(), changes)


def test_the_mark_of_an_auxiliary_part_is_all_that_checks_and_presets_know(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.auxiliary_parts() == {
        "reconstruction": "reconstruction_weight", "consistency": "consistency_weight",
            "legality": "legality_weight"}
    toy = {"standardise": "discount_weight"}
    for module in (config_module, presets):
        monkeypatch.setattr(module, "auxiliary_parts", lambda: toy)
    with pytest.raises(ConfigError, match=r"model\.standardise \(False\) and learner\.discount_weight \(1\) belong"):
        Config()
    sound = Config(learner=LearnerConfig(discount_weight=0.0))
    on = {"model.network": "pixels", "model.standardise": True, "learner.discount_weight": 1.0}
    with pytest.raises(ConfigError, match=r"set model\.standardise to False and learner\.discount_weight to 0"):
        replace(sound, {**on, "model.dynamics": "rules"})
    assert presets.with_rules(replace(sound, on)).learner.discount_weight == 0.0


@pytest.mark.parametrize("changes", [
    {"learner.reconstruction_weight": 1.0, "model.reconstruction": True},
    {"replay.window_fraction": 0.0, "replay.min_window": 1},
    {"replay.prioritized": True},
    {"train.evaluate_against": "mcts:10000000"},
    {"train.evaluate_against": "perfect"},
])
def test_settings_that_fit_are_taken(changes: dict[str, Any]) -> None:
    changed = replace(Config(), changes)
    assert from_json(json.loads(json.dumps(to_json(changed)))) == changed


@pytest.mark.parametrize(("name", "near"), [
    ("model.network", "resnet"), ("model.dynamics", "rules"), ("search.algorithm", "gumbel"),
    ("play.algorithm", "puct"),
])
def test_a_kind_that_is_in_no_table_is_refused_where_a_config_is_made(name: str, near: str) -> None:
    section, _, setting = name.partition(".")
    wrong = dataclasses.replace(getattr(Config(), section), **{setting: f"{near}x"})
    with pytest.raises(ConfigError, match=rf"{name}: expected one of .*, got '{near}x'; nearest: {near}"):
        Config(**{section: wrong})


def stored_with(name: str, value: Any) -> dict[str, Any]:
    """The form of a default config with one setting that isn't there any more."""
    section, _, setting = name.partition(".")
    form = to_json(Config())
    return form | {section: form[section] | {setting: value}}


@pytest.mark.parametrize(("name", "idle"), RETIRED.items())
def test_a_setting_that_is_gone_is_read_where_it_did_nothing(name: str, idle: float | None) -> None:
    assert name not in NUMBERS
    assert from_json(stored_with(name, 0.4 if idle is None else idle)) == Config()
    if idle is not None:
        with pytest.raises(ConfigError, match=rf"^{name} \(here 0\.4\) was removed: use the version that made this"):
            from_json(stored_with(name, 0.4))
    with pytest.raises(ConfigError, match=f"unknown setting {name}"):
        replace(Config(), {name: 0 if idle is None else idle})


def test_what_was_never_a_setting_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting selfplay\.gumbel_move;"):
        from_json(stored_with("selfplay.gumbel_move", 0))


@pytest.mark.parametrize("digits", [400, 4000])
def test_a_number_of_a_file_that_fits_nowhere_is_refused(digits: int) -> None:
    huge = int("9" * digits)
    for name, value in (("learner.clip", huge), ("learner.batch", [[0, huge]]), ("train.seed", huge)):
        with pytest.raises(ConfigError, match=name):
            replace(Config(), {name: value})


def test_names_of_tree_search_players() -> None:
    assert all(names_mcts(text) for text in ("mcts", "mcts:1", "mcts:10000000"))
    wrong = ("mcts:", "mcts:0", "mcts:-1", "mcts:1e3", "mcts:10000001", "mcts:٣", "mtcs:5", "mcts:" + "9" * 5000)
    assert not any(names_mcts(text) for text in wrong)


@pytest.mark.parametrize("game", [game.name for game in list_games() if game.supported])
def test_every_preset_stands(game: str) -> None:
    assert presets.load(game).game == game
