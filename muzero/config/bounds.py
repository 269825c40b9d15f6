"""Bounds of every number in a config, and their check."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from muzero.config.search_settings import SearchConfig
from muzero.config.settings import (
    POSITIVE,
    HeldOutConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    TrainConfig,
)
from muzero.errors import ConfigError
from selfplay.bounds import Between
from selfplay.schedule import Schedule
from selfplay.settings import SelfPlayConfig

Bound = tuple[float, float]
OWN = {"model": ModelConfig, "search": SearchConfig, "selfplay": SelfPlayConfig, "replay": ReplayConfig,
       "held_out": HeldOutConfig, "learner": LearnerConfig, "train": TrainConfig}
"""Sections whose bounds are annotations of their fields, `selfplay.bounds.Between`."""
THREADS_OR_0 = (0, 1 << 10)


def declared(section: type[Any], path: str) -> Iterator[tuple[str, Bound]]:
    """Dotted names and annotated bounds of the fields of a section and of its subsections."""
    for name, hint in typing.get_type_hints(section, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            yield from declared(typing.cast(type[Any], hint), f"{path}.{name}")
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, Between):
                yield f"{path}.{name}", (mark.low, mark.high)


class Bounds(Mapping[str, Bound]):
    """Bounds by dotted name (for a schedule, of each value); `play` has those of `search`, see `bounds`.

    The bounds of the search come from the C++ extension, which is imported lazily, so that `muzero doctor` can report
    that it is missing.
    """

    @cached_property
    def rows(self) -> dict[str, Bound]:
        """All of them."""
        import cpp_mcts

        numbers = {setting.name for setting in dataclasses.fields(SearchConfig)}
        search = {f"search.{name}": bound for name, bound in cpp_mcts.limits().items() if name in numbers}
        own = {name: bound for section, kind in OWN.items() for name, bound in declared(kind, section)}
        return {**own, **search, "search.threads": THREADS_OR_0}

    def __getitem__(self, name: str) -> Bound:
        return self.rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


BOUNDS = Bounds()


def bounds(name: str) -> Bound:
    """Lowest and highest value of a setting by its dotted name. Raises ConfigError for a number that has none."""
    # Threads of self-play's tree search may be automatic; those of play may not, as an agent can be loaded anywhere.
    if name == "play.threads":
        return 1, THREADS_OR_0[1]
    section, _, setting = name.partition(".")
    stated = f"search.{setting}" if section == "play" else name
    if stated not in BOUNDS:
        raise ConfigError(f"{stated}: expected bounds, got none: write Annotated[..., Between(low, high)] at its field"
                          + (", or its row in cpp_mcts/src/setting_table.h and build with make setup"
                             if stated.startswith("search.") else ""))
    return BOUNDS[stated]


def check_numbers(settings: Any, path: str) -> None:
    """Refuse a number out of bounds in a section and its subsections. Raises ConfigError naming it."""
    for setting in dataclasses.fields(settings):
        name, value = f"{path}{setting.name}", getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            check_numbers(value, f"{name}.")
        elif isinstance(value, tuple):
            _check_schedule(name, value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            _check_number(name, value)


def _check_number(name: str, value: float) -> None:
    low, high = bounds(name)
    # Also false for NaN.
    if not low <= value <= high:
        least = "above 0" if low == POSITIVE else f"at least {_plain(low)}"
        raise ConfigError(f"{name}: expected {least} and at most {_plain(high)}, got {value}")


def _plain(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,.15g}"


def _check_schedule(name: str, schedule: Schedule) -> None:
    starts = [start for start, _ in schedule]
    if not starts or starts[0] != 0.0 or starts != sorted(starts) or not all(0.0 <= start <= 1.0 for start in starts):
        raise ConfigError(f"{name}: expected starts that rise from 0 to at most 1, got {starts}")
    for _, value in schedule:
        _check_number(name, value)
