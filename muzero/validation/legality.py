"""Legality head of a learned model, judged on imagined positions at each unroll depth.

Shape letters: N positions, T moves after each, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from games.base import FloatArray, MaskArray
from muzero.model.learned import LearnedModel
from muzero.validation.depth import ROWS
from muzero.validation.report import HALF
from muzero.validation.sample import Sample


@dataclass(frozen=True)
class LegalityReport:
    """Shares of actions by depth, each [T+1]; depth 0 is the position itself. NaN where there is nothing to judge."""

    accuracy: FloatArray
    """of all actions: judged rightly, at a probability of one half"""
    kept: FloatArray
    """of illegal ones: those that a search with this threshold tries"""
    lost: FloatArray
    """of legal ones: those that it doesn't try"""


@torch.inference_mode()
def imagined_legality(model: LearnedModel, sample: Sample) -> FloatArray:
    """[N, T+1, A] probability that an action is legal, said of the positions that the model imagines along the sample's
    moves. The model must have a legality head."""
    parts = [_imagined(model, sample, slice(start, start + ROWS)) for start in range(0, len(sample), ROWS)]
    found: FloatArray = np.concatenate(parts)
    return found


def _imagined(model: LearnedModel, sample: Sample, rows: slice) -> FloatArray:
    assert model.legality is not None, "a model without a legality head says nothing of legality"
    action = torch.as_tensor(sample.action[rows], device=model.device)
    latents = [model.encode(torch.as_tensor(sample.obs[rows, 0], device=model.device))]
    for step in range(sample.depth):
        latents.append(model.advance(latents[-1], action[:, step])[0])
    said = torch.stack([model.legality(model.bare(latent)) for latent in latents], 1)
    found: FloatArray = torch.sigmoid(said.float()).cpu().numpy()
    return found


def legality_report(sample: Sample, probability: FloatArray, least: float) -> LegalityReport:
    """The figures of probabilities [N, T+1, A], for searches that try no action below `least`, except the most probable
    one (`muzero.model.masked`)."""
    inside, legal = sample.in_game[:, :, None], sample.legal
    tried = probability >= np.minimum(probability.max(2, keepdims=True), least)
    return LegalityReport(
        accuracy=_share((probability >= HALF) == legal, np.broadcast_to(inside, legal.shape)),
        kept=_share(tried, inside & ~legal), lost=_share(~tried, inside & legal))


def _share(where: MaskArray, among: MaskArray) -> FloatArray:
    """[T+1] share of `where` [N, T+1, A] among those that count; NaN where none does."""
    count, found = among.sum((0, 2)), (where & among).sum((0, 2))
    share: FloatArray = np.divide(found, count, out=np.full(len(count), np.nan), where=count > 0).astype(np.float32)
    return share
