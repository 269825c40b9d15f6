"""Validation report: errors of a learned model by unroll depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, MaskArray
from muzero.model.masked import USUAL
from muzero.validation.calibration import Calibration, calibrated
from muzero.validation.depth import Imagined
from muzero.validation.legality import LegalityReport, legality_report
from muzero.validation.sample import Sample

HALF = 0.5
"""Of a reward, or of all games at a depth, or of certainty: at least this much counts as the whole."""


@dataclass(frozen=True)
class DepthReport:
    """Figures by depth, each [T+1]; at depth 0 the position itself. NaN where there is nothing to judge, as for rewards
    and ends at depth 0, which a move brings."""

    positions: NDArray[np.int64]
    """positions of games at each depth"""
    rewards: NDArray[np.int64]
    """rewards other than 0 paid by the moves to each depth"""
    ends: NDArray[np.int64]
    """games that end with the move to each depth"""
    spread: float
    """standard deviation of the network's values of the real positions"""
    level: float
    """mean |value| of the real positions"""
    value_error: FloatArray
    """mean |value - return|, where at least half of the returns are known"""
    truth_error: FloatArray
    """mean |value - value under perfect play|"""
    drift: FloatArray
    """mean |value - value of the real position|, both by the network: what imagining adds"""
    bias: FloatArray
    """mean (value - value of the real position): above 0, imagined positions look too good for the player to move"""
    kl: FloatArray
    """mean KL(real || imagined) of the policies over legal actions, in nats"""
    legal_mass: FloatArray
    """mean share of the imagined policy on legal actions"""
    cosine: FloatArray
    """mean cosine similarity of the imagined latent and the real position's"""
    reward_error: FloatArray
    """mean |reward - real one| of the move to this depth"""
    recall: FloatArray
    """share of rewards other than 0 predicted with the right sign and at least half the size"""
    false_rewards: FloatArray
    """share of moves without a reward for which more than half of a typical one is predicted"""
    ends_seen: FloatArray
    """share of ends to which the model gives a probability above half"""
    false_ends: FloatArray
    """share of moves within a game to which it gives that too, or which end it by their reward"""
    after_end: FloatArray
    """mean |value| one step past the end, where nothing is to come: what a search adds to the result of a game; 0 where
    it takes the game for over"""
    values: tuple[Calibration, ...]
    """[T+1] of values against returns"""
    wins: tuple[Calibration, ...]
    """[T+1] of the probability of a win, in games that are won, drawn or lost; elsewhere empty"""
    legality: LegalityReport | None
    """of the legality head; None without one"""


def report(sample: Sample, found: Imagined, least: float = USUAL) -> DepthReport:
    """The figures of a sample. least: threshold of a legality head, see `legality.threshold`."""
    inside = sample.in_game
    off, real = found.value - found.real_value, found.real_value[inside]
    return DepthReport(
        positions=inside.sum(0), **_events(sample), spread=float(real.std()), level=float(np.abs(real).mean()),
        value_error=_value_error(sample, found), truth_error=_truth_error(sample, found),
        drift=mean_by_depth(np.abs(off), inside), bias=mean_by_depth(off, inside),
        kl=mean_by_depth(found.kl, inside), legal_mass=mean_by_depth(found.legal_mass, inside),
        cosine=mean_by_depth(found.cosine, inside), **_of_moves(sample, found), after_end=_after_end(sample, found),
        values=_values(sample, found), wins=_wins(sample, found), legality=_legality(sample, found, least))


def _known(sample: Sample) -> MaskArray:
    """[N, T+1] where returns are known. At a depth where most games were cut there are none: those that ended are no
    fair sample."""
    known = sample.in_game & ~np.isnan(sample.returns)
    return np.asarray(known & (known.sum(0) >= HALF * sample.in_game.sum(0)))


def _value_error(sample: Sample, found: Imagined) -> FloatArray:
    return mean_by_depth(np.abs(found.value - np.nan_to_num(sample.returns)), _known(sample))


def _values(sample: Sample, found: Imagined) -> tuple[Calibration, ...]:
    known = _known(sample)
    said = [array[known] for array in (found.value, sample.returns)]
    low, high = (float(edge(np.concatenate(said))) for edge in (np.min, np.max)) if known.any() else (-1.0, 1.0)
    return tuple(calibrated(found.value[where, step], sample.returns[where, step], low, high)
                 for step, where in enumerate(known.T))


def _wins(sample: Sample, found: Imagined) -> tuple[Calibration, ...]:
    known = _known(sample) & ~np.isnan(found.win)
    if not np.isin(np.abs(sample.returns[known]), (0.0, 1.0)).all():
        known[:] = False
    return tuple(calibrated(found.win[where, step], (sample.returns[where, step] > 0).astype(np.float32), 0.0, 1.0,
                            binary=True)
                 for step, where in enumerate(known.T))


def _truth_error(sample: Sample, found: Imagined) -> FloatArray:
    if sample.truth is None:
        return np.full(sample.depth + 1, np.nan, np.float32)
    known = sample.in_game & ~np.isnan(sample.truth)
    return mean_by_depth(np.abs(found.value - np.nan_to_num(sample.truth)), known)


def _events(sample: Sample) -> dict[str, Any]:
    found = {"rewards": sample.made & (sample.reward != 0), "ends": sample.made & (sample.discount == 0)}
    return {name: np.concatenate((np.zeros(1, np.int64), where.sum(0))) for name, where in found.items()}


def _of_moves(sample: Sample, found: Imagined) -> dict[str, Any]:
    """Figures of rewards and ends."""
    made, paid = sample.made, sample.made & (sample.reward != 0)
    typical = np.abs(sample.reward[paid]).mean() if paid.any() else np.inf
    seen = found.reward * np.sign(sample.reward) >= HALF * np.abs(sample.reward)
    told, ended, over = ~np.isnan(found.ends), sample.discount == 0, found.discount == 0
    figures = {
        "reward_error": mean_by_depth(np.abs(found.reward - sample.reward), made),
        "recall": mean_by_depth(seen, paid),
        "false_rewards": mean_by_depth(np.abs(found.reward) > HALF * typical, made & ~paid),
        "ends_seen": mean_by_depth(found.ends > HALF, made & told & ended),
        # Without a head for it, rewards can end games (`model.transition`).
        "false_ends": mean_by_depth(np.where(told, found.ends > HALF, over), made & (told | over.any()) & ~ended)}
    return {name: np.concatenate((np.full(1, np.nan, np.float32), figure)) for name, figure in figures.items()}


def _after_end(sample: Sample, found: Imagined) -> FloatArray:
    ended, added = np.zeros_like(sample.in_game), np.abs(found.value)
    ended[:, 1:] = sample.made & (sample.discount == 0)
    added[:, 1:][found.discount == 0] = 0.0
    return mean_by_depth(added, ended)


def _legality(sample: Sample, found: Imagined, least: float) -> LegalityReport | None:
    return legality_report(sample, found.legality, least) if found.legality.shape[2] > 0 else None


def mean_by_depth(numbers: NDArray[np.floating] | MaskArray, where: MaskArray) -> FloatArray:
    """Means over N of numbers [N, depths] where they count; NaN where none does."""
    count = where.sum(0)
    total = np.where(where, numbers, 0.0).sum(0)
    found: FloatArray = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0).astype(np.float32)
    return found
