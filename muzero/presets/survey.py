"""Survey of a game by random play before a run: game lengths and returns, from which supports are chosen.

It depends only on the game and the settings: the games are seeded, and measured in moves rather than seconds.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import games
from games.base import GameSpec
from games.rows import released
from muzero import presets
from muzero.config import Config, ConfigError, ScalarConfig, SearchConfig, by_game, replace
from muzero.config.bounds import BOUNDS
from muzero.config.support import raised, squashed
from muzero.presets.general import PART_MOVES, least_moves
from muzero.view.terminal import figure
from selfplay.actor import draw_legal

GAMES = 16
MOVES = 1_500
"""Moves after which a random game is abandoned."""
LONGER = 3.0
"""Games are cut off at this multiple of the median length of random games..."""
MOST_MOVES = 4_000
"""...but no later than this."""
BETTER = 10.0
"""Trained play may find rewards and returns this many times as large as random play does."""
USUAL = (0.25, 4.0)
"""Sizes of rewards that need no scale."""
APART = 10.0
"""Rewards this many times as large as their differences are represented relative to their median."""
MOST_END = 300.0
"""Largest end of a support; beyond it the scale grows. As published for Atari (Schrittwieser et al. 2020)."""
TELL_SECONDS = 10.0
"""Seconds between progress messages for slow games."""
OFFSET_DIGITS, SCALE_DIGITS = 3, 1
ROUNDING = 1e-9
"""Relative tolerance of a support's range."""


@dataclass(frozen=True)
class Survey:
    """Statistics of random games, in the game's units."""

    games: int
    moves: int
    """median game length; abandoned games count as `MOVES`"""
    ended: int
    """games that ended before that"""
    reward_offset: float
    """median reward if rewards differ little from it, else 0"""
    value_offset: float
    """median discounted return in that case, else 0"""
    unit: float
    """geometric mean of the nonzero distances of rewards from the offset; 0 if there are none"""
    largest_reward: float
    """largest distance from the offset"""
    largest_return: float
    """largest distance of a discounted return from the offset, over all positions"""
    rewards: tuple[float, float]
    """lowest and highest reward"""
    returns: tuple[float, float]
    """lowest and highest discounted return, over all positions"""


@dataclass(frozen=True)
class _Played:
    """Rewards [T, N] and signed discounts [T, N] of N random games, zero after their ends; lengths [N]."""

    reward: NDArray[np.float64]
    discount: NDArray[np.float64]
    length: NDArray[np.int64]
    over: NDArray[np.bool_]


def measure(config: Config, tell: Callable[[str], None] = lambda _: None) -> Survey:
    """Play `GAMES` random games of at most `MOVES` moves, with the rewards that the learner would see.

    tell: called with progress messages if games are slow.
    """
    played = _play(config, tell)
    made = np.arange(len(played.reward))[:, None] < played.length
    paid = played.reward[made]
    offset = _offset(paid) if games.spec(config.game).players == 1 else 0.0
    returns = _returns(played, config.learner.gamma, offset)[made]
    middle = _rounded(float(np.median(returns)), OFFSET_DIGITS) if offset else 0.0
    away = np.abs(paid - offset)
    return Survey(
        games=GAMES, moves=int(np.median(played.length)), ended=int(played.over.sum()), reward_offset=offset,
        value_offset=middle, unit=_unit(away), largest_reward=float(max(away.max(), abs(offset))),
        largest_return=float(max(np.abs(returns - middle).max(), abs(middle))),
        rewards=_ends(paid), returns=_ends(returns))


def _play(config: Config, tell: Callable[[str], None]) -> _Played:
    rng = np.random.default_rng(0)
    over, length = np.zeros(GAMES, dtype=np.bool_), np.zeros(GAMES, dtype=np.int64)
    rewards: list[NDArray[np.float32]] = []
    discounts: list[NDArray[np.float32]] = []
    told = time.monotonic()
    with released(games.make(config.game, GAMES, seed=0)) as batch:
        while not over.all() and len(rewards) < MOVES:
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                tell(f"{over.sum()} of {GAMES} random games finished, {length.sum():,} moves made")
            length += ~over
            step = batch.step(draw_legal(batch.legal(), rng), ~over)
            rewards.append(np.sign(step.reward) if config.selfplay.clip_rewards else step.reward)
            discounts.append(step.discount)
            over |= (step.discount == 0.0) | step.truncated
    return _Played(np.array(rewards, dtype=np.float64), np.array(discounts, dtype=np.float64), length, over)


def _ends(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and highest."""
    return float(numbers.min()), float(numbers.max())


def _offset(paid: NDArray[np.float64]) -> float:
    """The median reward if rewards differ, but by little relative to it."""
    middle = float(np.median(paid))
    unit = _unit(np.abs(paid - middle))
    return _rounded(middle, OFFSET_DIGITS) if 0.0 < APART * unit < abs(middle) else 0.0


def _unit(away: NDArray[np.float64]) -> float:
    """Geometric mean of the nonzero entries."""
    some = away[away > 0.0]
    return float(np.exp(np.log(some).mean())) if len(some) else 0.0


def _returns(played: _Played, gamma: float, offset: float) -> NDArray[np.float64]:
    """Discounted return [T, N] of each position; after an abandoned game every reward counts as the offset."""
    for_ever = offset / (1.0 - gamma) if gamma < 1.0 else 0.0
    found = np.zeros_like(played.reward)
    after = found[-1]
    for t in reversed(range(len(found))):
        # The discount is 0 where a game ended on its own.
        follows = np.where(played.length == t + 1, for_ever, after)
        after = found[t] = played.reward[t] + gamma * played.discount[t] * follows
    return found


def _rounded(number: float, digits: int) -> float:
    return float(f"{number:.{digits - 1}e}")


def settle(
    config: Config, stored: Config | None = None, tell: Callable[[str], None] = lambda _: None,
    asked: Collection[str] = (),
) -> tuple[Config, Survey | None]:
    """`config` with a number in place of every setting left to the game, and the survey if random games were played.

    stored: the config of the run being resumed, whose numbers are kept. tell: as in `measure`; also gets warnings about
    numbers that are too small. asked: dotted names set by hand, besides all that differ from the preset.
    """
    left = by_game(config)
    if not left:
        return config, None
    if stored is not None:
        return _kept(config, stored, left), None
    hand = presets.by_hand(config) | set(asked)
    survey, spec = measure(config, tell), games.spec(config.game)
    numbers = dict(_lengths(config, survey, spec, hand)) if "selfplay.max_moves" in left else {}
    moves = numbers.get("selfplay.max_moves", config.selfplay.max_moves)
    parts = {
        "value": (config.model.value, survey.value_offset, value_reach(survey, spec, config.learner.gamma, moves)),
        "reward": (config.model.reward, survey.reward_offset, reward_reach(survey, spec)),
    }
    for name, (given, offset, reach) in parts.items():
        if f"model.{name}.bins" in left:
            kept = frozenset(key for key in dataclasses.asdict(given) if f"model.{name}.{key}" in hand)
            support = fitting(given, survey.unit, offset, reach, kept)
            _check_stated(config.game, survey, support)
            better = fitting(dataclasses.replace(given, scale=1.0), survey.unit, offset, reach, kept - {"scale"})
            if support.scale < better.scale and not _states(support, offset, reach):
                tell(_too_small(name, support, better, reach))
            numbers |= {f"model.{name}.{key}": value for key, value in dataclasses.asdict(support).items()}
    return _distinguishing(replace(config, numbers), hand), survey


def _states(support: ScalarConfig, offset: float, reach: float) -> bool:
    """Whether a support set by hand covers the range it should."""
    return support.reach[1] >= offset + reach * (1 - ROUNDING)


def _too_small(name: str, support: ScalarConfig, better: ScalarConfig, reach: float) -> str:
    low, high = support.reach
    return (f"warning: --model.{name}.scale {support.scale:g}, set by hand, covers {name}s from {figure(low)} to "
            f"{figure(high)}, but up to {figure(reach)} may occur: --model.{name}.scale {better.scale:g} covers them")


def _check_stated(game: str, survey: Survey, support: ScalarConfig) -> None:
    """Refuse rewards of a size that no support covers. Raises ConfigError."""
    (least, most), (low, high) = BOUNDS["model.value.scale"], BOUNDS["model.value.offset"]
    if not (least <= support.scale <= most and low <= support.offset <= high):
        raise ConfigError(
            f"{game}: expected rewards of a size between {least:g} and {most:g}, got about {survey.unit:.3g}, at most "
            f"{survey.largest_reward:.3g}, and returns up to {survey.largest_return:.3g} in random games: rescale the "
            "game's rewards")


def _distinguishing(config: Config, hand: Collection[str]) -> Config:
    """`config` with searches that distinguish values as finely, relative to their scale, as usual."""
    scale, usual = config.model.value.scale, SearchConfig().epsilon
    small = [name for name, search in (("search", config.search), ("play", config.play))
             if scale < 1.0 and search.epsilon == usual and f"{name}.epsilon" not in hand]
    return replace(config, {f"{name}.epsilon": usual * scale for name in small})


def _kept(config: Config, stored: Config, left: list[str]) -> Config:
    """`config` with the numbers of `stored`, including the whole support if its bins were automatic."""
    sections = {"model.value": stored.model.value, "model.reward": stored.model.reward}
    numbers = {f"{section}.{key}": value for section, support in sections.items() if f"{section}.bins" in left
               for key, value in dataclasses.asdict(support).items()}
    if "selfplay.max_moves" in left:
        numbers["selfplay.max_moves"] = stored.selfplay.max_moves
    return replace(config, numbers)


def _lengths(config: Config, survey: Survey, spec: GameSpec, hand: Collection[str]) -> dict[str, int]:
    """Settings for the move limit, and for the length of parts of games so long that they would reach the learner late.
    """
    most = min(MOST_MOVES, max(least_moves(spec), round(LONGER * survey.moves)))
    given = config.selfplay.part_moves
    whole = given or "selfplay.part_moves" in hand or survey.moves <= PART_MOVES
    return {"selfplay.max_moves": min(spec.max_length, most), "selfplay.part_moves": given if whole else PART_MOVES}


def value_reach(survey: Survey, spec: GameSpec, gamma: float, moves: int) -> float:
    """Largest distance of a return from the offset to be covered: the game's bound if it is sensible, else what better
    play than random may reach; 0 if unknown."""
    horizon = float(moves) if gamma == 1.0 else (1.0 - gamma ** moves) / (1.0 - gamma)
    likely = min(BETTER * survey.largest_return, survey.largest_reward * horizon + abs(survey.value_offset))
    return _bounded(max(abs(spec.min_return), abs(spec.max_return)) + abs(survey.value_offset), likely, survey)


def reward_reach(survey: Survey, spec: GameSpec) -> float:
    """The same for one reward."""
    span = spec.max_return - spec.min_return + abs(survey.reward_offset)
    return _bounded(span, BETTER * survey.largest_reward, survey)


def _bounded(bound: float, likely: float, survey: Survey) -> float:
    """The bound, unless it is so large that most of the support would be unused."""
    unit = survey.unit or 1.0
    sensible = math.isfinite(bound) and squashed(bound / unit) <= MOST_END
    return bound if sensible else likely


def fitting(
    given: ScalarConfig, unit: float, offset: float, reach: float, hand: Collection[str] = ()
) -> ScalarConfig:
    """`given`, whose bins are automatic, with bins 1 apart that cover `reach` on both sides of the offset, and a scale
    of about the size of one reward; ends only move outwards.

    hand: fields of `given` set by hand, which are kept. If the ends are, the scale makes them cover the range.
    """
    usual = unit == 0.0 or USUAL[0] <= unit <= USUAL[1]
    scale = given.scale if "scale" in hand or given.scale != 1.0 or usual else _rounded(unit, SCALE_DIGITS)
    middle = given.offset if "offset" in hand else given.offset or offset
    required, ends = reach + (abs(middle - offset) if "offset" in hand else 0.0), _ends_by_hand(given, hand)
    most = min(ends, default=MOST_END)
    furthest = dataclasses.replace(given, scale=scale, low=-most, high=most, offset=0.0, bins=2).reach[1]
    if "scale" not in hand and required > furthest:
        scale = raised(scale * required / furthest)
    end = min(MOST_END, float(math.ceil(squashed(required / scale) if given.transform else required / scale)))
    low = given.low if "low" in hand else min(given.low, -end)
    high = given.high if "high" in hand else max(given.high, end)
    return dataclasses.replace(given, scale=scale, offset=middle, low=low, high=high, bins=1 + math.ceil(high - low))


def _ends_by_hand(given: ScalarConfig, hand: Collection[str]) -> list[float]:
    """The reach of a support's ends set by hand; an end at 0 means that nothing occurs on its side."""
    ends = {"low": -given.low, "high": given.high}
    return [end for name, end in ends.items() if name in hand and end > 0.0]
