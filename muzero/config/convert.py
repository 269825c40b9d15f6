"""Conversion of configs to and from JSON values, older versions included; dotted overrides.

Raises ConfigError naming a setting that is unknown, missing or of the wrong type.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from typing import Any, Literal, TypeVar

from muzero.config.choices import check_choice
from muzero.config.config import Config
from muzero.errors import ConfigError
from selfplay.schedule import Schedule

FORMAT = 1
"""Version of the JSON form. A reader refuses a newer one."""
RETIRED: dict[str, float | None] = {
    "selfplay.gumbel_moves": 0, "selfplay.full_search_fraction": 1.0, "selfplay.fast_share": None,
    "learner.surprise_share": 0.0,
}
"""Settings of older versions -> the value at which they had no effect (None: any); a stored config may hold a setting
with that value."""

T = TypeVar("T")


class Retired(ConfigError):
    """A stored config uses a setting that was removed; the message names it."""


def to_json(config: Config) -> dict[str, Any]:
    """The config as JSON values, with the format version."""
    return {"format": FORMAT, **dataclasses.asdict(config)}


def from_json(data: Any) -> Config:
    """The inverse of `to_json`, of this or an older version. Raises ConfigError naming an unknown, missing or
    ill-typed key, or Retired."""
    if not isinstance(data, dict):
        raise ConfigError(f"config: expected a JSON object, got {type(data).__name__}")
    fields = dict(data)
    version = fields.pop("format", None)
    if version is None:
        raise ConfigError("config: expected a format number, got none: this isn't a config of muzero")
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
                raise Retired(f"{name} (here {str(value)[:40]}) was removed: use the version that made this config")
    return kept


def _build(cls: type[T], data: Any, path: str) -> T:
    if not isinstance(data, dict):
        raise ConfigError(f"{path or 'config'}: expected an object, got {type(data).__name__}")
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
        check_choice(path, value, typing.get_args(hint))
        return value
    if hint == Schedule:
        return _schedule(value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return _real(value, path)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if type(value) is not hint:
            raise ConfigError(f"{path}: expected {hint.__name__}, got {value!r}")
        return value
    raise ConfigError(f"{path}: no reader for {hint}")


def _schedule(value: Any, path: str) -> Schedule:
    ok = isinstance(value, (list, tuple)) and len(value) > 0 and all(
        isinstance(point, (list, tuple)) and len(point) == 2
        and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in point)
        for point in value
    )
    if not ok:
        raise ConfigError(f"{path}: expected a schedule [[from, value], ...], got {value!r}")
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
