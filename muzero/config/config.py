"""A run's settings as one value, frozen and nested. A preset is a `Config`; the command line overrides single fields.

No torch here: the command line reads this file before it knows whether it needs a network at all.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from games.own_names import same_game
from muzero.config.limits import check
from muzero.config.settings import (
    AloneConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    TrainConfig,
)
from muzero.errors import ConfigError
from selfplay.settings import Schedule, SelfPlayConfig

FORMAT = 1
"""Version of the JSON form. A reader refuses a newer one."""
RETIRED: dict[str, float | None] = {
    "selfplay.gumbel_moves": 0, "selfplay.full_search_fraction": 1.0, "selfplay.fast_share": None,
    "learner.surprise_share": 0.0,
}
"""Settings that older versions had -> the value at which they did nothing, None for any: a stored config may hold them
with it."""

T = TypeVar("T")


class Retired(ConfigError):
    """A stored setting that is gone was in use; the message names it."""


@dataclass(frozen=True)
class Config:
    game: str = "tic_tac_toe"
    model: ModelConfig = field(default_factory=ModelConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    """Search in self-play."""
    play: SearchConfig = field(default_factory=lambda: SearchConfig(algorithm="puct", simulations=100))
    """Search in play and evaluation."""
    alone: AloneConfig = field(default_factory=AloneConfig)
    selfplay: SelfPlayConfig = field(default_factory=SelfPlayConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        check(self)

    @property
    def unroll(self) -> int:
        """K, the steps that are unrolled for the loss: 0 without learned dynamics, where each position is trained by
        itself."""
        return self.learner.unroll if self.model.dynamics == "learned" else 0


def to_json(config: Config) -> dict[str, Any]:
    """The config as JSON values, with the format's version."""
    return {"format": FORMAT, **dataclasses.asdict(config)}


def from_json(data: Any) -> Config:
    """A config from `to_json`'s form, here or in an older version. Raises ConfigError naming an unknown, missing or
    ill-typed key, or Retired."""
    if not isinstance(data, dict):
        raise ConfigError(f"a config is a JSON object, got {type(data).__name__}")
    fields = dict(data)
    version = fields.pop("format", None)
    if version is None:
        raise ConfigError("no config of muzero: it has no format")
    if not isinstance(version, int) or version > FORMAT:
        raise ConfigError(f"config format {version!r} is newer than this version reads ({FORMAT}); update muzero")
    return _build(Config, _without_retired(fields), "")


def _without_retired(sections: dict[str, Any]) -> dict[str, Any]:
    kept = dict(sections)
    for name, idle in RETIRED.items():
        section, _, setting = name.partition(".")
        if isinstance(kept.get(section), dict) and setting in kept[section]:
            kept[section] = dict(kept[section])
            value = kept[section].pop(setting)
            if idle is not None and value != idle:
                raise Retired(f"{name} ({str(value)[:40]} here) was removed: this needs the version that made it")
    return kept


def _build(cls: type[T], data: Any, path: str) -> T:
    if not isinstance(data, dict):
        raise ConfigError(f"{path or 'config'}: an object wanted, got {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; nearest: {path}{near[0]}" if near else f"; known: {', '.join(hints)}"
            raise ConfigError(f"unknown setting {path}{key}{hint}")
    values = {key: _convert(hints[key], value, f"{path}{key}") for key, value in data.items()}
    return cls(**values)


def _convert(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, f"{path}.")
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=1)
            raise ConfigError(f"{path}: {value!r} is none of {', '.join(map(str, choices))}"
                              + (f"; nearest: {near[0]}" if near else ""))
        return value
    if hint == Schedule:
        return _schedule(value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return _real(value, path)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if type(value) is not hint:
            raise ConfigError(f"{path}: {hint.__name__} wanted, got {value!r}")
        return value
    raise ConfigError(f"{path}: no reader for {hint}")


def _schedule(value: Any, path: str) -> Schedule:
    ok = isinstance(value, (list, tuple)) and len(value) > 0 and all(
        isinstance(point, (list, tuple)) and len(point) == 2
        and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in point)
        for point in value
    )
    if not ok:
        raise ConfigError(f"{path}: a schedule is [[from, value], ...], got {value!r}")
    return tuple((_real(start, path), _real(number, path)) for start, number in value)


def _real(value: float, path: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(f"{path}: a number of {len(str(value))} digits is too large") from None


def replace(config: Config, overrides: dict[str, Any]) -> Config:
    """`config` with dotted overrides such as {"search.simulations": 64}."""
    data = dataclasses.asdict(config)
    for key, value in overrides.items():
        node = data
        *parents, leaf = key.split(".")
        for depth, name in enumerate(parents):
            if not isinstance(node.get(name), dict):
                raise ConfigError(f"unknown setting {'.'.join(parents[: depth + 1])}")
            node = node[name]
        node[leaf] = value
    return _build(Config, data, "")


AUTO = {"selfplay.games": 0, "train.actors": -1, "search.threads": 0}
"""Settings that may be left to the machine, and the value that says so. `muzero.bench.sizing.resolve` puts numbers
there before a run is made; nothing else reads these values."""


def unresolved(config: Config) -> list[str]:
    """The settings of `AUTO` that are still left to the machine."""
    return [name for name, auto in AUTO.items() if _value(config, name) == auto]


BY_GAME = {"selfplay.max_moves": 0, "model.value.bins": 0, "model.reward.bins": 0}
"""Settings that may be left to the game, and the value that says so: `muzero.presets.survey.settle` puts numbers there,
by random games, before a run is made."""


def by_game(config: Config) -> list[str]:
    """The settings of `BY_GAME` that are still left to the game."""
    return [name for name, auto in BY_GAME.items() if _value(config, name) == auto]


def check_resolved(config: Config) -> None:
    """Refuse a config that still leaves a number to the machine or the game, where the number is needed. Raises
    ConfigError."""
    for name in unresolved(config):
        raise ConfigError(f"{name} is {AUTO[name]}, left to the machine: a number wanted here; "
                          "muzero.bench.sizing.resolve(config) chooses it")
    for name in by_game(config):
        raise ConfigError(f"{name} is {BY_GAME[name]}, left to the game: a number wanted here; "
                          "muzero.bench.sizing.resolve(config) chooses it")


def _value(config: Config, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), config)


FIXED = ("game", "model.", "replay.capacity", "replay.prioritized", "learner.optimizer", "train.seed")
"""Settings (and groups of them) that everything stored in a run depends on."""


def changes(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Dotted name -> (old value, new value) of each setting that differs."""
    return dict(_differences(dataclasses.asdict(old), dataclasses.asdict(new), ""))


def _differences(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name, value in old.items():
        if isinstance(value, dict):
            yield from _differences(value, new[name], f"{path}{name}.")
        elif value != new[name]:
            yield f"{path}{name}", (value, new[name])


def check_continues(where: object, stored: Config, config: Config) -> dict[str, tuple[Any, Any]]:
    """What changes when the run in `where` goes on with `config`. Raises ConfigError for what can't change."""
    changed = changes(stored, config)
    # Unfinished games are stored only where they are played in the learner's own process.
    fixed = (*FIXED, "selfplay.games") if stored.train.actors == config.train.actors == 0 else FIXED
    for name, (old, new) in changed.items():
        if name.startswith(fixed) and not (name == "game" and same_game(old, new)):
            raise ConfigError(
                f"{where} was made with {name} {old}, which can't become {new} on the way\n"
                "  choose another folder with --out, or start anew with --fresh (the old run is set aside)")
    return changed
