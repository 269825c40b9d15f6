"""Legality head of a learned model, judged on imagined positions at each unroll depth.

Shape letters: N positions, T moves after each, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from games.base import FloatArray, MaskArray
from muzero.config import Config
from muzero.model.masked import USUAL
from muzero.validation.sample import Sample


@dataclass(frozen=True)
class LegalityReport:
    """What a search with a threshold makes of a legality head. By depth, each [T+1]; depth 0 is the position itself.
    NaN where there is nothing to judge."""

    least: float
    """the threshold: less probable actions are masked"""
    balanced: FloatArray
    """balanced accuracy: mean of the shares of legal actions that are kept and of illegal ones that are masked; where
    all are legal, the share that is kept"""
    kept: FloatArray
    """share of illegal actions that the search tries"""
    lost: FloatArray
    """share of legal actions that it doesn't try"""
    over: FloatArray
    """share of positions of games that it takes for ends, as all actions are masked"""


def threshold(config: Config) -> float:
    """At which a legality head is judged: that of self-play's search or that of play, if these mask; else the one with
    which `cem` asks the head."""
    return config.search.legality.least or config.play.legality.least or USUAL


def legality_report(sample: Sample, probability: FloatArray, least: float) -> LegalityReport:
    """The figures of probabilities [N, T+1, A], for searches that try no action below `least`
    (`muzero.model.masked`)."""
    # What isn't a number isn't masked, as in the search.
    inside, tried = sample.in_game[:, :, None], ~(probability < least)
    kept, lost = _share(tried, inside & ~sample.legal), _share(~tried, inside & sample.legal)
    over = probability.max(2, keepdims=True) < least
    return LegalityReport(least, _balanced(kept, lost), kept, lost, _share(over, inside))


def _balanced(kept: FloatArray, lost: FloatArray) -> FloatArray:
    """Of the shares [T+1] of both kinds that are judged wrongly; of one where there is none of the other."""
    wrong = np.stack((np.where(np.isnan(kept), lost, kept), np.where(np.isnan(lost), kept, lost)))
    balanced: FloatArray = 1 - wrong.mean(0)
    return balanced


def _share(where: MaskArray, among: MaskArray) -> FloatArray:
    """[T+1] share of `where` [N, T+1, *] among those that count; NaN where none does."""
    count, found = among.sum((0, 2)), (where & among).sum((0, 2))
    share: FloatArray = np.divide(found, count, out=np.full(len(count), np.nan), where=count > 0).astype(np.float32)
    return share
