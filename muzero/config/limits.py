"""What values a config may have: bounds of every number, and settings that contradict each other."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Protocol

import games
from games.atari_protocol import atari_facts, is_atari
from games.families import family
from muzero.config.settings import LearnerConfig, ModelConfig, ReplayConfig, SearchConfig, TrainConfig
from muzero.errors import ConfigError
from selfplay.naming import MCTS_MOST, names_mcts
from selfplay.settings import Schedule, SelfPlayConfig


class Sections(Protocol):
    """What is looked at of a `muzero.config.Config`."""

    @property
    def game(self) -> str: ...
    @property
    def model(self) -> ModelConfig: ...
    @property
    def search(self) -> SearchConfig: ...
    @property
    def play(self) -> SearchConfig: ...
    @property
    def selfplay(self) -> SelfPlayConfig: ...
    @property
    def replay(self) -> ReplayConfig: ...
    @property
    def learner(self) -> LearnerConfig: ...
    @property
    def train(self) -> TrainConfig: ...


POSITION_BYTES = 16
"""A stored position takes more than this in any game; what a replay really takes is known with its game."""
Bound = tuple[float, float]
ABOVE_0 = math.ulp(0.0)
SHARE = (0.0, 1.0)
WEIGHT = (0.0, 1e6)
COUNT = (1, 1 << 40)
COUNT_OR_0 = (0, 1 << 40)
SIZE = (1, 1 << 20)
SIZE_OR_0 = (0, 1 << 20)
THREADS = (1, 1 << 10)
THREADS_OR_0 = (0, 1 << 10)
SEED = (0, (1 << 63) - 1)
NUMBER = (-1e9, 1e9)
SCALE = (1e-12, 1e12)

OWN_BOUNDS: dict[str, Bound] = {
    "model.width": (1, 1 << 16), "model.hidden": (1, 1 << 16), "model.representation_blocks": (0, 256),
    "model.picture_blocks": (0, 256),
    "model.dynamics_blocks": (0, 256), "model.value.low": NUMBER, "model.value.high": NUMBER,
    "model.value.bins": (0, 1 << 16), "model.reward.low": NUMBER, "model.reward.high": NUMBER,
    "model.reward.bins": (0, 1 << 16), "model.value.scale": SCALE, "model.value.offset": NUMBER,
    "model.reward.scale": SCALE, "model.reward.offset": NUMBER, "model.consistency_width": (1, 1 << 16),
    "model.prefix": (0, 64), "model.prefix_hidden": (1, 1 << 16),
    "selfplay.games": SIZE_OR_0, "selfplay.simulations_share": (1e-6, 1.0), "selfplay.temperature": (0.0, 1e3),
    "selfplay.temperature_moves": SIZE_OR_0, "selfplay.opening_fraction": SHARE, "selfplay.opening_plies": SIZE_OR_0,
    "selfplay.random_fraction": SHARE, "selfplay.max_moves": SIZE_OR_0, "selfplay.part_moves": SIZE_OR_0,
    "selfplay.warmup_positions": COUNT_OR_0,
    "replay.capacity": COUNT, "replay.window_fraction": SHARE, "replay.min_window": COUNT_OR_0,
    "replay.min_positions": COUNT, "replay.alpha": (0.0, 2.0), "replay.beta": (0.0, 2.0),
    "replay.memory_limit_mb": (1, 1 << 30),
    "learner.batch": (1.0, 1e6), "learner.unroll": (1, 64), "learner.td_steps": SIZE,
    "learner.td_age": COUNT_OR_0, "learner.shift": (0, 64),
    "learner.search_share": SHARE, "learner.gamma": SHARE, "learner.learning_rate": (ABOVE_0, 1e3),
    "learner.final_rate": SHARE, "learner.warmup": SHARE, "learner.decay_from": SHARE,
    "learner.weight_decay": (0.0, 1e3), "learner.clip": (ABOVE_0, 1e9), "learner.state_gradient": SHARE,
    "learner.value_weight": WEIGHT, "learner.reward_weight": WEIGHT, "learner.policy_weight": WEIGHT,
    "learner.discount_weight": WEIGHT, "learner.consistency_weight": WEIGHT, "learner.consistency_steps": COUNT_OR_0,
    "learner.reconstruction_weight": WEIGHT, "learner.ema": SHARE, "learner.replay_ratio": (ABOVE_0, 1e6),
    "learner.reanalyse_fraction": SHARE, "learner.reanalyse_batch": SIZE,
    "train.steps": COUNT_OR_0, "train.minutes": (0.0, 1e7),
    "train.positions": COUNT_OR_0, "train.horizon": COUNT_OR_0, "train.seed": SEED,
    "train.actors": (-1, 256), "train.threads": THREADS, "train.log_seconds": (0.0, 1e9),
    "train.checkpoint_seconds": (0.0, 1e9), "train.evaluate_minutes": (0.0, 1e9), "train.evaluate_games": (2, 1 << 20),
    "train.evaluate_moves": SIZE_OR_0,
    "train.publish_steps": COUNT, "train.snapshot_minutes": (0.0, 1e7),
}
"""Those of all settings but the search's."""


class Bounds(Mapping[str, Bound]):
    """Lowest and highest value of every number (of every step, for a schedule); `play` has those of `search`, see
    `bounds`.

    The search's own are those of the C++ search, which is asked when the first bound is wanted: `muzero doctor` can
    say that it is missing.
    """

    @cached_property
    def rows(self) -> dict[str, Bound]:
        """All of them by their dotted names."""
        import cpp_mcts

        numbers = {setting.name for setting in dataclasses.fields(SearchConfig)}
        search = {f"search.{name}": bound for name, bound in cpp_mcts.limits().items() if name in numbers}
        return {**OWN_BOUNDS, **search, "search.threads": THREADS_OR_0}

    def __getitem__(self, name: str) -> Bound:
        return self.rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


BOUNDS = Bounds()


def bounds(name: str) -> Bound:
    """Lowest and highest value of a setting by its dotted name."""
    # Threads of self-play's tree may be left to the machine; play is searched wherever an agent is loaded.
    if name == "play.threads":
        return THREADS
    section, _, setting = name.partition(".")
    return BOUNDS[f"search.{setting}" if section == "play" else name]


def check(config: Sections) -> None:
    """Refuse values no run could use. Raises ConfigError naming the setting."""
    _check_numbers(config, "")
    for name, search in (("search", config.search), ("play", config.play)):
        _check_span(name, search.low, search.high)
    for name, scalar in (("value", config.model.value), ("reward", config.model.reward)):
        if scalar.kind == "categorical" and (scalar.bins == 1 or not scalar.low < scalar.high):
            raise ConfigError(f"model.{name}: at least 2 bins and low < high wanted, got {scalar}")
    _check_aids(config)
    if config.model.network == "pixels":
        _check_pixels(config)
    elif config.model.standardise:
        raise ConfigError(f"model.standardise is of pictures, which model.network pixels reads: turn it off for "
                          f"{config.model.network} (--model.no-standardise)")
    elif config.learner.shift > 0:
        raise ConfigError(f"learner.shift moves pictures, which model.network pixels reads: set learner.shift to 0 for "
                          f"{config.model.network}")
    if config.model.dynamics == "rules":
        _check_rules(config)
    if config.selfplay.life_ends and is_atari(config.game):
        _check_lives(config.game)
    _check_replay(config.replay)
    if config.train.steps == 0 and config.train.minutes == 0.0 and config.train.positions == 0:
        raise ConfigError("train.steps, train.minutes or train.positions must set a limit")
    _check_positions(config)
    if config.train.clock == "cpu" and config.train.actors != 0:
        raise ConfigError("train.clock cpu counts one process: set train.actors to 0")
    _check_evaluation(config.train.evaluate_games, config.train.evaluate_against)


def _check_span(name: str, low: float, high: float) -> None:
    import cpp_mcts

    least = cpp_mcts.least_span(low, high)
    if not high - low >= least:
        raise ConfigError(f"{name}.low must be below {name}.high by at least {least:g}, got {low} and {high}")


def check_outcomes(config: Sections, spec: games.GameSpec) -> None:
    """Refuse a value or reward that can't state the outcomes of `spec`, and a search that can't tell them apart.

    For games that pay at the end only; what others pay in all is a bound that no game may come near.
    """
    if spec.rewards_on_the_way:
        return
    scalars = {"model.value": config.model.value, "model.reward": config.model.reward}
    spans = {name: scalar.reach for name, scalar in scalars.items()}
    searches = {"search": config.search, "play": config.play}
    spans |= {name: (search.low, search.high) for name, search in searches.items() if search.scale == "fixed"}
    for name, (low, high) in spans.items():
        if not low <= spec.min_return <= spec.max_return <= high:
            raise ConfigError(f"{name}.low and {name}.high: {spec.name} pays {spec.min_return:g} to "
                              f"{spec.max_return:g}, got what states {low:g} to {high:g}")


def _check_positions(config: Sections) -> None:
    """A run that is over before it has learned or searched anything is a mistake."""
    first = {"replay.min_positions": config.replay.min_positions,
             "selfplay.warmup_positions": config.selfplay.warmup_positions}
    name = max(first, key=lambda setting: first[setting])
    if 0 < config.train.positions <= first[name]:
        raise ConfigError(f"train.positions {config.train.positions:,} are over before {name} {first[name]:,}, when "
                          f"learning or searching begins: raise the one or lower the other")


def _check_evaluation(games: int, against: str) -> None:
    if games % 2:
        raise ConfigError(f"train.evaluate_games must be even, the same for both seats, got {games}")
    if against not in ("random", "perfect") and not names_mcts(against):
        near = difflib.get_close_matches(against, ("random", "perfect", "mcts:100"), n=1)
        raise ConfigError(f"train.evaluate_against: {against!r} is none of random, mcts:N (N up to {MCTS_MOST:,}), "
                          "perfect" + (f"; nearest: {near[0]}" if near else ""))


def _check_numbers(settings: Any, path: str) -> None:
    for setting in dataclasses.fields(settings):
        name, value = f"{path}{setting.name}", getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            _check_numbers(value, f"{name}.")
        elif isinstance(value, tuple):
            _check_schedule(name, value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            _check_number(name, value)


def _check_number(name: str, value: float) -> None:
    low, high = bounds(name)
    # Also false for NaN.
    if not low <= value <= high:
        least = "above 0" if low == ABOVE_0 else f"at least {_plain(low)}"
        raise ConfigError(f"{name} must be {least} and at most {_plain(high)}, got {value}")


def _plain(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,.15g}"


def _check_schedule(name: str, schedule: Schedule) -> None:
    starts = [start for start, _ in schedule]
    if not starts or starts[0] != 0.0 or starts != sorted(starts) or not all(0.0 <= start <= 1.0 for start in starts):
        raise ConfigError(f"{name}: starts must rise from 0 to at most 1, got {starts}")
    for _, value in schedule:
        _check_number(name, value)


def _check_aids(config: Sections) -> None:
    """A part of the model that no loss trains, or a loss without its part, is a mistake."""
    weights = {"reconstruction": config.learner.reconstruction_weight, "consistency": config.learner.consistency_weight}
    for name, weight in weights.items():
        if getattr(config.model, name) != (weight > 0):
            raise ConfigError(f"model.{name} ({getattr(config.model, name)}) and learner.{name}_weight ({weight:g}) "
                              "belong together: both or neither wanted")
    if config.learner.consistency_steps > config.learner.unroll:
        raise ConfigError(f"learner.consistency_steps ({config.learner.consistency_steps}) can't be more than "
                          f"learner.unroll ({config.learner.unroll})")


def _check_pixels(config: Sections) -> None:
    if config.model.reconstruction:
        raise ConfigError("model.network pixels has no way back to a picture: set model.reconstruction to False and "
                          "learner.reconstruction_weight to 0")


def _check_lives(game: str) -> None:
    try:
        facts = atari_facts(game)
    except games.GameError as error:
        raise ConfigError(str(error)) from error
    if not facts.shows_lives:
        raise ConfigError(f"selfplay.life_ends tells the agent of lost lives, which the protocol {facts.protocol_name} "
                          f"of {facts.spec.name} forbids: turn it off (--selfplay.no-life-ends), or name another "
                          "protocol")


def _check_rules(config: Sections) -> None:
    """Refuse what has no meaning, or can't be had, where the game's own rules are searched."""
    why = "model.dynamics rules"
    for name in ("reconstruction", "consistency"):
        if getattr(config.model, name):
            raise ConfigError(f"{why} has no imagined positions to train: set model.{name} to False and "
                              f"learner.{name}_weight to 0")
    if config.learner.reanalyse_fraction > 0:
        raise ConfigError(f"{why} searches from the history of a game, which stored positions don't have: set "
                          f"learner.reanalyse_fraction to 0, got {config.learner.reanalyse_fraction:g}")
    if family(config.game) != "open_spiel":
        raise ConfigError(f"{why} knows the rules of OpenSpiel's games alone: set model.dynamics to learned for "
                          f"{config.game}")
    try:
        spec = games.spec(config.game)
    except games.GameError as error:
        raise ConfigError(str(error)) from error
    if spec.stochastic:
        raise ConfigError(f"{why} can't search a game with chance: set model.dynamics to learned for {spec.name}")


def _check_replay(replay: ReplayConfig) -> None:
    if replay.capacity < replay.min_positions:
        raise ConfigError(f"replay.capacity ({replay.capacity}) must hold replay.min_positions "
                          f"({replay.min_positions})")
    least = replay.capacity * POSITION_BYTES // 10**6
    if least > replay.memory_limit_mb:
        raise ConfigError(f"replay.capacity {replay.capacity} needs more than {least:,} MB, replay.memory_limit_mb is "
                          f"{replay.memory_limit_mb:,}; lower the capacity or raise the limit")
    if replay.prioritized and replay.window_fraction < 1.0:
        raise ConfigError(f"replay.prioritized draws from all positions kept: replay.window_fraction must be 1, "
                          f"got {replay.window_fraction}")
    if replay.window_fraction == 0.0 and replay.min_window == 0:
        raise ConfigError("replay.window_fraction and replay.min_window are both 0: nothing could be drawn")
