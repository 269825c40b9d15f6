"""Imagined positions of a learned model, compared with the real ones at each unroll depth.

Shape letters: N positions, T moves after each, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from games.base import FloatArray
from muzero.model import scalar
from muzero.model.learned import LearnedModel
from muzero.validation.sample import Sample

ROWS = 512
"""Positions unrolled at once."""
END = 0
"""The class of the next mover that says that the game is over."""


@dataclass(frozen=True)
class Imagined:
    """A model's outputs after each of T real moves, beside those of the real positions there.

    Past the end of a game, what is said of real positions means nothing.
    """

    value: FloatArray
    """[N, T+1] of imagined positions, for the player to move"""
    real_value: FloatArray
    """[N, T+1] of real positions"""
    win: FloatArray
    """[N, T+1] probability that the player to move of the imagined position wins; NaN if the model gives none"""
    kl: FloatArray
    """[N, T+1] KL(real || imagined) of the policies over the legal actions, in nats"""
    legal_mass: FloatArray
    """[N, T+1] share of the imagined policy on legal actions"""
    cosine: FloatArray
    """[N, T+1] cosine similarity of the imagined latent and the real position's"""
    legality: FloatArray
    """[N, T+1, A or 0] probability that an action is legal; of no actions without a legality head"""
    reward: FloatArray
    """[N, T] of each move, read as `model.transition` says"""
    ends: FloatArray
    """[N, T] probability that a move ends the game, read so too; NaN if the model predicts no ends"""
    discount: FloatArray
    """[N, T] signed, of each move, read so too: a search multiplies what follows by it"""


@torch.inference_mode()
def imagine(model: LearnedModel, sample: Sample) -> Imagined:
    """Unroll the model along the sample's moves. The model must have learned dynamics; see `LearnedModel.imagines`."""
    parts = [_imagined(model, sample, slice(start, start + ROWS)) for start in range(0, len(sample), ROWS)]
    return Imagined(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Imagined)))


def _imagined(model: LearnedModel, sample: Sample, rows: slice) -> Imagined:
    action = torch.as_tensor(sample.action[rows], device=model.device)
    latent = model.encode(torch.as_tensor(sample.obs[rows, 0], device=model.device))
    positions, moves = [_compared(model, latent, sample, rows, 0)], list[tuple[Tensor, ...]]()
    for step in range(1, sample.depth + 1):
        before = latent
        latent, output, mover = model.advance(before, action[:, step - 1])
        reward, discount = model.outcome(before, latent, output, mover)
        moves.append((reward, _ends(model, mover, discount), discount))
        positions.append(_compared(model, latent, sample, rows, step))
    return Imagined(*map(_stacked, zip(*positions, strict=True)), *map(_stacked, zip(*moves, strict=True)))


def _compared(model: LearnedModel, latent: Tensor, sample: Sample, rows: slice, step: int) -> tuple[Tensor, ...]:
    """Value, real value, win probability, KL, legal mass and cosine, each [N], and legality [N, A or 0], at a step."""
    real = model.encode(torch.as_tensor(sample.obs[rows, step], device=model.device))
    legal = torch.as_tensor(sample.legal[rows, step], device=model.device)
    (logits, value), (real_logits, real_value) = model.predict(latent), model.predict(real)
    mass = (torch.softmax(logits.float(), -1) * legal).sum(1)
    alike = torch.cosine_similarity(model.bare(latent).flatten(1).float(), model.bare(real).flatten(1).float())
    return (scalar.decode(value, model.config.value), scalar.decode(real_value, model.config.value),
            _win(model, value), _divergence(real_logits, logits, legal), mass, alike, _legality(model, latent))


def _divergence(real: Tensor, imagined: Tensor, legal: Tensor) -> Tensor:
    """KL(real || imagined) [N] of policies with logits [N, A] over legal actions; 0 where there are none."""
    some = legal | ~legal.any(1, keepdim=True)
    lowest = torch.finfo(torch.float32).min
    one, other = (torch.log_softmax(logits.float().masked_fill(~some, lowest), -1) for logits in (real, imagined))
    return torch.where(some, one.exp() * (one - other), 0.0).sum(1)


def _win(model: LearnedModel, value: Tensor) -> Tensor:
    """Probability of a win [N] by a categorical value [N, bins]: a value between a draw and a win counts in part."""
    config, best = model.config.value, model.spec.max_return
    if model.spec.players != 2 or config.kind != "categorical":
        return torch.full((len(value),), torch.nan, device=value.device)
    support = scalar.told(torch.linspace(config.low, config.high, config.bins, device=value.device), config)
    return torch.softmax(value.float(), -1) @ (support / best).clamp(0.0, 1.0)


def _legality(model: LearnedModel, latent: Tensor) -> Tensor:
    """[N, A] by the legality head; [N, 0] without one."""
    if model.legality is None:
        return latent.new_zeros((len(latent), 0))
    return torch.sigmoid(model.legality(model.bare(latent)).float())


def _ends(model: LearnedModel, mover: Tensor, discount: Tensor) -> Tensor:
    """[N] probability of the end under logits of the next mover [N, 3 or 0]: 0 or 1 where the likeliest transition is
    read, of which signed discounts [N] are 0 at an end."""
    if mover.shape[1] == 0:
        return torch.full((len(mover),), torch.nan, device=mover.device)
    if model.config.transition == "likeliest":
        return discount == 0
    return torch.softmax(mover.float(), -1)[:, END]


def _stacked(columns: tuple[Tensor, ...]) -> FloatArray:
    found: FloatArray = torch.stack(columns, 1).float().cpu().numpy()
    return found
