"""The general preset: settings for an untuned game, from its players, rewards and observation shape."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from games.base import GameSpec
from muzero.config import (
    AloneConfig,
    Config,
    HeldOutConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    ScalarConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
    replace,
)
from selfplay.trajectory import unfinished_bytes

OUTCOMES = ScalarConfig(low=-1.0, high=1.0, bins=3)
WIDE = ScalarConfig(low=-20.0, high=20.0, bins=41, transform=True)
"""Covers +-422."""
MEASURED = dataclasses.replace(WIDE, bins=0)
"""At least as wide, chosen from the rewards of random games."""
SMALL, LARGE = 0.25, 100.0
"""Outcomes below SMALL get their own support; those beyond `WIDE` are scaled to LARGE."""
PART_MOVES = 300
"""Moves per part, for games longer than this."""
LONG_ALONE = 1_000
"""Most one-player environments end within this many moves."""
FEW_NUMBERS = 256
"""Observations of up to this many numbers are read by a dense network, in a tenth of the time of convolutions."""
HELD_OUT = HeldOutConfig(fraction=0.05)
"""One game in twenty, on which the model is validated."""
SHORT = 50
"""A few hundred simulations imagine games of at most this many moves to their end."""
FIRST_POSITIONS = 20_000
"""Positions of random play: enough to find a reward that occurs in one game of hundreds a few times."""


def preset(spec: GameSpec) -> Config:
    """A config for any supported game."""
    if spec.players == 2 and _plain(spec) and not spec.stochastic:
        duel = _duel(spec)
        return _to_the_end(duel, spec) if spec.max_length <= SHORT and not _has_board(spec) else duel
    careful = _careful(spec)
    return _seeking(careful) if _few_places(spec) else careful


def _careful(spec: GameSpec) -> Config:
    """For games about which nothing more is known: one player, chance, or rewards of any size on the way."""
    plain = _plain(spec)
    alone = _alone(spec)
    steps = 20_000 if alone else 4_000
    return Config(
        game=spec.name,
        model=_model(spec, _scalar(spec)),
        search=_search(spec, plain, gumbel_scale=1.0, simulations=16, threads=0),
        play=_search(spec, plain, gumbel_scale=0.0, simulations=50, threads=1),
        # Games with rewards on the way are long: with many at once, they would be stale when they reach the learner.
        selfplay=SelfPlayConfig(games=64 if alone else 0, max_moves=_max_moves(spec),
                                part_moves=PART_MOVES if alone and spec.max_length > PART_MOVES else 0,
                                opening_fraction=0.5, opening_plies=4, random_fraction=0.02),
        replay=ReplayConfig(capacity=_capacity(spec), min_positions=2_000),
        held_out=HELD_OUT,
        learner=LearnerConfig(batch=((0.0, 128.0),), unroll=3, learning_rate=2e-3, replay_ratio=4.0 if alone else 1.0,
                              gamma=0.997 if spec.rewards_on_the_way else 1.0,
                              td_steps=20 if spec.rewards_on_the_way else 1_000),
        # In one process, so that the agent doesn't depend on how busy the machine is.
        train=TrainConfig(steps=steps, horizon=steps, actors=0 if alone else -1, evaluate_minutes=5.0),
    )


def _seeking(careful: Config) -> Config:
    """For one player with possibly rare rewards: no search before random play has found some, prioritised replay by
    value error, loop avoidance in play, and every game that found one for training."""
    return dataclasses.replace(
        careful,
        held_out=HeldOutConfig(),
        alone=AloneConfig(repeats="next"),
        selfplay=dataclasses.replace(careful.selfplay, warmup_positions=FIRST_POSITIONS),
        replay=dataclasses.replace(careful.replay, prioritized=True),
    )


def _duel(spec: GameSpec) -> Config:
    """For two players without chance and with a win, draw or loss at the end: a wider network, longer random openings,
    only the newest games, and value targets that mix the search's value with the outcome."""
    board = _has_board(spec) and not _needs_halving(spec)
    model = _model(spec, _scalar(spec))
    careful = _careful(spec)
    return dataclasses.replace(
        careful,
        model=dataclasses.replace(model, reconstruction=True) if board else
        dataclasses.replace(model, width=128, hidden=256),
        selfplay=dataclasses.replace(careful.selfplay, opening_fraction=0.75,
                                     opening_plies=max(4, min(12, spec.max_length // 2))),
        replay=dataclasses.replace(careful.replay, window_fraction=0.4, min_window=30_000),
        learner=LearnerConfig(batch=((0.0, 64.0), (0.15, 128.0)), unroll=3, optimizer="muon", learning_rate=3e-3,
                              warmup=0.01, decay_from=0.5, ema=0.998, search_share=0.5, replay_ratio=1.0,
                              reconstruction_weight=10.0 if board else 0.0),
    )


def _to_the_end(duel: Config, spec: GameSpec) -> Config:
    """For small games, which a search imagines to their end, past blunders and moves that aren't legal: openings of any
    length, a longer unroll, likeliest rewards and ends, and a legality head. Without them more simulations make values
    worse (docs/lab/strength.md)."""
    return replace(duel, {
        "model.transition": "likeliest", "model.legality": True, "learner.legality_weight": 0.1,
        "play.legality.least": 0.1, "selfplay.opening_plies": min(12, spec.max_length), "learner.unroll": 6,
    })


def least_moves(spec: GameSpec) -> int:
    """Least number of moves before a game may be cut off."""
    return LONG_ALONE if _alone(spec) else PART_MOVES


def _max_moves(spec: GameSpec) -> int:
    """The game's own limit if it is low; otherwise chosen from the length of random games."""
    return spec.max_length if spec.max_length <= least_moves(spec) else 0


def _plain(spec: GameSpec) -> bool:
    return not spec.rewards_on_the_way and spec.max_return <= 1.0 and spec.min_return >= -1.0


def _scalar(spec: GameSpec) -> ScalarConfig:
    """The support of values and rewards: from the game's bounds if only the last move pays."""
    bound = _bound(spec)
    if spec.rewards_on_the_way or math.isinf(bound):
        return MEASURED
    if _plain(spec):
        return OUTCOMES if bound >= SMALL else dataclasses.replace(OUTCOMES, low=-bound, high=bound)
    return WIDE if bound <= WIDE.reach[1] else dataclasses.replace(WIDE, scale=bound / LARGE)


def _bound(spec: GameSpec) -> float:
    return max(abs(spec.min_return), abs(spec.max_return))


def _search(spec: GameSpec, plain: bool, gumbel_scale: float, simulations: int, threads: int) -> SearchConfig:
    bounds = _scalar(spec) if plain else OUTCOMES
    return SearchConfig(algorithm="gumbel", simulations=simulations, scale="fixed" if plain else "minmax",
                        low=bounds.low, high=bounds.high, mirror=spec.players == 2, c_scale=1.0 if plain else 0.1,
                        gumbel_scale=gumbel_scale, threads=threads)


def _alone(spec: GameSpec) -> bool:
    """True for one player with rewards on the way."""
    return spec.players == 1 and spec.rewards_on_the_way


def _has_board(spec: GameSpec) -> bool:
    """True if observations are planes large enough for convolutions."""
    board = len(spec.observation_shape) == 3 and min(spec.observation_shape[1:]) >= 4
    return board and not _few_places(spec)


def _few_places(spec: GameSpec) -> bool:
    """True for one player whose observations are few integers, so that they recur. Not for real-valued ones such as
    CartPole's, whose values suffer from what helps with rare rewards (docs/lab/strength.md)."""
    whole = spec.observation_dtype == "uint8" and not spec.pictures
    return _alone(spec) and whole and math.prod(spec.observation_shape) <= FEW_NUMBERS


def _needs_halving(spec: GameSpec) -> bool:
    """True for pictures too large for search without downsampling."""
    return spec.pictures and min(spec.observation_shape[1:]) >= 32


def _model(spec: GameSpec, scalar: ScalarConfig) -> ModelConfig:
    discount: Literal["fixed", "learned"] = "fixed" if spec.alternates or spec.players == 1 else "learned"
    if _needs_halving(spec):
        return ModelConfig(network="pixels", width=32, hidden=64, representation_blocks=1, standardise=True,
                           latent_norm="rms", value=scalar, reward=scalar, discount=discount)
    if _has_board(spec):
        return ModelConfig(network="resnet", width=32, hidden=64, latent_norm="rms", value=scalar, reward=scalar,
                           discount=discount)
    return ModelConfig(network="mlp", width=64, hidden=128, value=scalar, reward=scalar, discount=discount)


def _capacity(spec: GameSpec) -> int:
    """Positions that fit in about 1 GB, at most 200,000."""
    return max(4_000, min(200_000, 2**30 // unfinished_bytes(spec)))
