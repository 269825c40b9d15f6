"""`Config`: all settings of a run, frozen and nested, and the combinations that are refused.

A preset is a `Config`; the command line overrides single fields. This module doesn't import torch, as the command line
loads it before it knows whether it needs a network.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Literal

import games
from games.atari_protocol import atari_facts, is_atari
from games.families import family
from games.legal_share import legal_share
from muzero.config.bounds import check_numbers
from muzero.config.choices import check_choice
from muzero.config.kinds import DYNAMICS, NETWORKS, PLANNERS
from muzero.config.search_settings import SearchConfig
from muzero.config.settings import (
    AloneConfig,
    HeldOutConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    TrainConfig,
    auxiliary_parts,
)
from muzero.errors import ConfigError
from selfplay.naming import MCTS_MOST, names_mcts
from selfplay.settings import SelfPlayConfig
from selfplay.trajectory import LEAST_STORED_BYTES

MOSTLY = 0.5
"""Least share of a game's actions that are legal at its start, for a planner that doesn't know the legal ones later."""


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
    held_out: HeldOutConfig = field(default_factory=HeldOutConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    preset: str = ""
    """Name of the preset that the settings started from; empty if there was none, and in runs of older versions."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def unroll(self) -> int:
        """K, the number of unroll steps in the loss: 0 without learned dynamics, when each position is trained on
        separately."""
        return self.learner.unroll if DYNAMICS[self.model.dynamics].learned else 0


def check(config: Config) -> None:
    """Refuse values that no run could use. Raises ConfigError naming the setting."""
    _check_kinds(config)
    check_numbers(config, "")
    for name, search in (("search", config.search), ("play", config.play)):
        _check_span(name, search.low, search.high)
    for name, scalar in (("value", config.model.value), ("reward", config.model.reward)):
        if scalar.kind == "categorical" and (scalar.bins == 1 or not scalar.low < scalar.high):
            raise ConfigError(f"model.{name}: expected at least 2 bins and low < high, got {scalar}")
    _check_auxiliary_parts(config)
    _check_legality(config)
    _check_ensemble(config.model, config.learner)
    if NETWORKS[config.model.network].pictures:
        _check_pictures(config)
    else:
        _check_no_pictures(config)
    if not DYNAMICS[config.model.dynamics].learned:
        _check_rules(config)
    if config.selfplay.life_ends and is_atari(config.game):
        _check_lives(config.game)
    _check_replay(config.replay)
    if config.train.steps == 0 and config.train.minutes == 0.0 and config.train.positions == 0:
        raise ConfigError("expected a limit: set train.steps, train.minutes or train.positions")
    _check_positions(config)
    if config.train.clock == "cpu" and config.train.actors != 0:
        raise ConfigError("train.clock cpu counts the time of one process: set train.actors to 0")
    _check_evaluation(config.train.evaluate_games, config.train.evaluate_against)


def _check_kinds(config: Config) -> None:
    """What a table of kinds is asked by must stand in it."""
    check_choice("model.network", config.model.network, NETWORKS)
    check_choice("model.dynamics", config.model.dynamics, DYNAMICS)
    check_choice("search.algorithm", config.search.algorithm, PLANNERS)
    check_choice("play.algorithm", config.play.algorithm, PLANNERS)


def _check_span(name: str, low: float, high: float) -> None:
    import cpp_mcts

    least = cpp_mcts.least_span(low, high)
    if not high - low >= least:
        raise ConfigError(f"{name}: expected {name}.high at least {least:g} above {name}.low, got {low} and {high}")


def check_outcomes(config: Config, spec: games.GameSpec) -> None:
    """Refuse a value or reward support that can't represent the outcomes of `spec`, and a search that can't tell them
    apart.

    Only for games that pay only at the end; in others the bounds of the return may be far beyond any real game.
    """
    if spec.rewards_on_the_way:
        return
    scalars = {"model.value": config.model.value, "model.reward": config.model.reward}
    spans = {name: scalar.reach for name, scalar in scalars.items()}
    searches = {"search": config.search, "play": config.play}
    spans |= {name: (search.low, search.high) for name, search in searches.items() if search.scale == "fixed"}
    for name, (low, high) in spans.items():
        if not low <= spec.min_return <= spec.max_return <= high:
            raise ConfigError(f"{name}.low and {name}.high: expected a range that holds the returns of {spec.name}, "
                              f"{spec.min_return:g} to {spec.max_return:g}, got {low:g} to {high:g}")


def _check_positions(config: Config) -> None:
    """Refuse a run that would end before any learning or search."""
    first = {"replay.min_positions": config.replay.min_positions,
             "selfplay.warmup_positions": config.selfplay.warmup_positions}
    name = max(first, key=lambda setting: first[setting])
    if 0 < config.train.positions <= first[name]:
        raise ConfigError(f"train.positions: expected more than {name} {first[name]:,}, when learning or searching "
                          f"begins, got {config.train.positions:,}: raise the one or lower the other")


def _check_evaluation(games: int, against: str) -> None:
    if games % 2:
        raise ConfigError(f"train.evaluate_games: expected an even number, to split between both seats, got {games}")
    if against not in ("random", "perfect") and not names_mcts(against):
        near = difflib.get_close_matches(against, ("random", "perfect", "mcts:100"), n=1)
        raise ConfigError(f"train.evaluate_against: expected random, mcts:N (N up to {MCTS_MOST:,}) or perfect, got "
                          f"{against!r}" + (f"; nearest: {near[0]}" if near else ""))


def _check_auxiliary_parts(config: Config) -> None:
    """Refuse a part of the model that no loss trains, and a loss without its part."""
    for part, name in auxiliary_parts().items():
        on, weight = getattr(config.model, part), getattr(config.learner, name)
        if on != (weight > 0):
            raise ConfigError(f"model.{part} ({on}) and learner.{name} ({weight:g}) belong together; expected both or "
                              "neither")
    if config.learner.consistency_steps > config.learner.unroll:
        raise ConfigError(f"learner.consistency_steps: expected at most learner.unroll ({config.learner.unroll}), got "
                          f"{config.learner.consistency_steps}")


def _check_legality(config: Config) -> None:
    """Refuse a search that asks a legality head which the model doesn't have."""
    for name, search in (("search", config.search), ("play", config.play)):
        if search.legality.least > 0 and not config.model.legality:
            raise ConfigError(f"{name}.legality.least: expected 0 for a model without a legality head, got "
                              f"{search.legality.least:g}: set it to 0, or train one with model.legality True and "
                              "learner.legality_weight 0.1")


def check_planner(config: Config, section: Literal["search", "play"]) -> None:
    """Refuse a planner that invents moves where most would be illegal and nothing tells it so. Starts the game, if it
    must know. Raises ConfigError."""
    algorithm = (config.search if section == "search" else config.play).algorithm
    if not PLANNERS[algorithm].invents or config.model.legality or not DYNAMICS[config.model.dynamics].learned:
        return
    if (share := legal_share(config.game)) < MOSTLY:
        raise ConfigError(
            f"{section}.algorithm {algorithm} tries actions in imagined positions that the policy doesn't propose, but "
            f"only {share:.1%} of the actions of {config.game} are legal at its start, and this model can't tell which "
            "are later: choose another planner (gumbel and puct are trees), or train with a legality head "
            "(--model.legality --learner.legality-weight 0.1)")


def _check_ensemble(model: ModelConfig, learner: LearnerConfig) -> None:
    """Refuse an ensemble that can't be searched or trained, and targets without one."""
    if model.ensemble.members == 0:
        _check_no_ensemble(model, learner)
        return
    if not DYNAMICS[model.dynamics].learned:
        raise ConfigError(f"model.dynamics {model.dynamics} searches the game's rules, whose rewards are known: set "
                          "model.ensemble.members to 0")
    if model.ensemble.features > 0 and learner.own_targets == 0:
        raise ConfigError(f"model.ensemble.features {model.ensemble.features}: those of imagined positions are learned "
                          "from later observations, which come with learner.own_targets alone: set learner.own_targets "
                          "above 0, or features to 0")
    if model.discount == "fixed" and not learner.absorbing:
        raise ConfigError("learner.absorbing False: nothing would tell members that no value follows an end, and a "
                          "search asks them: set it to True, or model.discount to learned")
    if learner.own_targets > 0 and model.norm == "batch":
        raise ConfigError("learner.own_targets tries actions that weren't played, whose positions mustn't enter "
                          "the statistics of model.norm batch: set model.norm to none, or own_targets to 0")


def _check_no_ensemble(model: ModelConfig, learner: LearnerConfig) -> None:
    for name, used in (("model.ensemble.features", model.ensemble.features), ("learner.own_targets",
                                                                             learner.own_targets)):
        if used > 0:
            raise ConfigError(f"{name} {used:g} is for members of an ensemble: set model.ensemble.members, or "
                              f"{name} to 0")


def _check_no_pictures(config: Config) -> None:
    readers = ", ".join(name for name, kind in NETWORKS.items() if kind.pictures)
    if config.model.standardise:
        raise ConfigError(f"model.standardise is for pictures, that is for model.network {readers}: turn it off for "
                          f"{config.model.network} (--model.no-standardise)")
    if config.learner.shift > 0:
        raise ConfigError(f"learner.shift is for pictures, that is for model.network {readers}: set it to 0 for "
                          f"{config.model.network}")


def _check_pictures(config: Config) -> None:
    if config.model.reconstruction:
        raise ConfigError(f"model.network {config.model.network} has no decoder for pictures: set "
                          "model.reconstruction to False and learner.reconstruction_weight to 0")


def _check_lives(game: str) -> None:
    try:
        facts = atari_facts(game)
    except games.GameError as error:
        raise ConfigError(str(error)) from error
    if not facts.shows_lives:
        raise ConfigError("selfplay.life_ends signals lost lives to the agent, which the protocol "
                          f"{facts.protocol_name} of {facts.spec.name} forbids: turn it off "
                          "(--selfplay.no-life-ends), or choose another protocol")


def _check_rules(config: Config) -> None:
    """Refuse settings that are meaningless or impossible if the true rules are searched."""
    why = f"model.dynamics {config.model.dynamics}"
    for part, weight in auxiliary_parts().items():
        if getattr(config.model, part):
            raise ConfigError(f"{why} has no imagined positions to train on: set model.{part} to False and "
                              f"learner.{weight} to 0")
    if config.learner.reanalyse_fraction > 0:
        raise ConfigError(f"{why} searches from a game's move history, which stored positions don't have: set "
                          f"learner.reanalyse_fraction to 0, got {config.learner.reanalyse_fraction:g}")
    if config.held_out.fraction > 0:
        raise ConfigError(f"{why} imagines nothing that held-out games could validate: set held_out.fraction to 0, got "
                          f"{config.held_out.fraction:g}")
    if family(config.game) != "open_spiel":
        raise ConfigError(f"{why} knows the rules of OpenSpiel games only: set model.dynamics to learned for "
                          f"{config.game}")
    try:
        spec = games.spec(config.game)
    except games.GameError as error:
        raise ConfigError(str(error)) from error
    if spec.stochastic:
        raise ConfigError(f"{why} can't search games with chance events: set model.dynamics to learned for {spec.name}")


def _check_replay(replay: ReplayConfig) -> None:
    if replay.capacity < replay.min_positions:
        raise ConfigError(f"replay.capacity: expected at least replay.min_positions ({replay.min_positions}), got "
                          f"{replay.capacity}")
    # Only a lower bound: the true size depends on the game.
    least = replay.capacity * LEAST_STORED_BYTES // 10**6
    if least > replay.memory_limit_mb:
        raise ConfigError(f"replay.capacity {replay.capacity} needs more than {least:,} MB, but replay.memory_limit_mb "
                          f"is {replay.memory_limit_mb:,}; lower the capacity or raise the limit")
    if replay.prioritized and replay.window_fraction < 1.0:
        raise ConfigError("replay.window_fraction: expected 1 with replay.prioritized, which samples all stored "
                          f"positions, got {replay.window_fraction}")
    if replay.window_fraction == 0.0 and replay.min_window == 0:
        raise ConfigError("replay.window_fraction and replay.min_window: expected one above 0, got 0 for both: nothing "
                          "could be sampled")
