"""The K-step unroll and its losses: pure, no state, no I/O.

Every step of the unroll is compared with what really happened (Schrittwieser et al. 2020, eq. 1 and appendix G). Step 0
weighs 1, each later step 1/K. The gradient that flows through a latent into the step before is scaled after that
step's heads have read it, so that the heads keep their full gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from muzero import scalar
from muzero.config import LearnerConfig
from muzero.models.learned import LearnedModel
from muzero.records import Batch


@dataclass(frozen=True)
class Tensors:
    """A `Batch` on the model's device; shapes as there."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    turn: Tensor
    value: Tensor
    policy: Tensor
    alive: Tensor
    inside: Tensor
    trained: Tensor
    weight: Tensor
    next_obs: Tensor | None

    @staticmethod
    def of(batch: Batch, device: torch.device) -> Tensors:
        def move(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device, non_blocking=True)

        return Tensors(
            move(batch.obs), move(batch.action), move(batch.reward), move(batch.turn), move(batch.value),
            move(batch.policy), move(batch.alive), move(batch.inside), move(batch.trained), move(batch.weight),
            None if batch.next_obs is None else move(batch.next_obs))


@dataclass(frozen=True)
class Losses:
    """What one learning step gave; tensors so that nothing waits for the device."""

    total: Tensor
    """[] what is minimised"""
    parts: dict[str, Tensor]
    """[] each, unweighted means over the batch, summed over steps with the step weights"""
    checks: dict[str, Tensor]
    """[] each, how well the model unrolls: see `model_checks`"""
    value_error: Tensor
    """[B] |value - target| at the root, for priorities"""


@dataclass(frozen=True)
class Unrolled:
    """Raw outputs along the unroll."""

    latents: list[Tensor]
    """K+1 times [B, *L]"""
    logits: list[Tensor]
    """K+1 times [B, A]"""
    values: list[Tensor]
    """K+1 times [B, units]"""
    rewards: list[Tensor]
    """K times [B, units]"""
    turns: list[Tensor]
    """K times [B, 3 or 0]"""


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x, whose gradient is multiplied by `factor` on the way back."""
    scaled: Tensor = _ScaleGradient.apply(x, factor)  # type: ignore[no-untyped-call]
    return scaled


def unroll(model: LearnedModel, data: Tensors, state_gradient: float) -> Unrolled:
    """Run h once and g, f along the real actions."""
    latent = model.encode(data.obs)
    logits, value = model.predict(latent)
    out = Unrolled([latent], [logits], [value], [], [])
    for k in range(data.action.shape[1]):
        latent, reward, turn = model.advance(scale_gradient(latent, state_gradient), data.action[:, k])
        logits, value = model.predict(latent)
        for found, kept in ((latent, out.latents), (logits, out.logits), (value, out.values), (reward, out.rewards),
                            (turn, out.turns)):
            kept.append(found)
    return out


def compute(model: LearnedModel, data: Tensors, config: LearnerConfig) -> Losses:
    """Losses of one batch. Means are over the batch, masked steps count as 0."""
    out = unroll(model, data, config.state_gradient)
    steps = data.action.shape[1]
    sums = {name: data.weight.new_zeros(len(data.weight)) for name in ("policy", "value", "reward", "turn",
                                                                       "reconstruction", "consistency")}
    for k in range(steps + 1):
        share = 1.0 if k == 0 else 1.0 / steps
        sums["policy"] = sums["policy"] + share * policy_loss(out.logits[k], data.policy[:, k], data.alive[:, k])
        value = scalar.loss(out.values[k], data.value[:, k], model.config.value)
        sums["value"] = sums["value"] + share * value * data.trained[:, k]
        if k > 0:
            _add_transition(sums, model, data, out, k, share)
    weights = {"policy": config.policy_weight, "value": config.value_weight, "reward": config.reward_weight,
               "turn": config.discount_weight, "reconstruction": config.reconstruction_weight,
               "consistency": config.consistency_weight}
    total = sum((weights[name] * term for name, term in sums.items()), data.weight.new_zeros(len(data.weight)))
    with torch.no_grad():
        parts = {name: term.mean() for name, term in sums.items() if weights[name] > 0}
        checks, value_error = model_checks(model, data, out)
    return Losses((data.weight * total).mean(), parts, checks, value_error)


def _add_transition(
    sums: dict[str, Tensor], model: LearnedModel, data: Tensors, out: Unrolled, k: int, share: float
) -> None:
    """Add the losses of action k-1: its reward, whose turn follows, and what the position after it looks like."""
    reward = scalar.loss(out.rewards[k - 1], data.reward[:, k - 1], model.config.reward)
    # A move really made has a known reward, also the last one, after which step k lies past the end.
    sums["reward"] = sums["reward"] + share * reward * (data.inside[:, k - 1] | data.trained[:, k])
    turn = out.turns[k - 1]
    if turn.shape[1] > 0:
        missed = F.cross_entropy(turn.float(), data.turn[:, k - 1], reduction="none")
        sums["turn"] = sums["turn"] + share * missed * data.inside[:, k - 1]
    if data.next_obs is None:
        return
    seen, inside = data.next_obs[:, k - 1], data.inside[:, k]
    if model.decoder is not None:
        found = reconstruction_loss(model.decoder(out.latents[k]), seen)
        sums["reconstruction"] = sums["reconstruction"] + share * found * inside
    if model.consistency is not None:
        with torch.no_grad():
            encoded = model.encode(seen)
        sums["consistency"] = sums["consistency"] + share * model.consistency(out.latents[k], encoded) * inside


def policy_loss(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy [B] of logits [B, A] against target [B, A], 0 where mask [B] is False."""
    return -(target * F.log_softmax(logits.float(), 1)).sum(1) * mask


def reconstruction_loss(output: Tensor, seen: Tensor) -> Tensor:
    """[B]: binary cross-entropy for whole-number observations, squared error for others; mean over entries."""
    wanted = seen.float()
    if seen.dtype == torch.uint8:
        entries = F.binary_cross_entropy_with_logits(output.float(), wanted.clamp(max=1.0), reduction="none")
    else:
        entries = (output.float() - wanted) ** 2
    return entries.flatten(1).mean(1)


def model_checks(model: LearnedModel, data: Tensors, out: Unrolled) -> tuple[dict[str, Tensor], Tensor]:
    """How good the model is at each step k of the unroll: the first thing to look at when a run doesn't learn.

    recall@k        share of real rewards (other than 0) it sees with the right sign, at least half as large
    false@k         share of real moves without a reward where it sees one above half of the smallest paid in the batch
    value_error@k   mean |value - target| on real positions
    """
    checks: dict[str, Tensor] = {}
    paid = data.reward.abs()
    smallest = torch.where(paid > 0, paid, torch.inf).amin().clamp(max=1e6)
    error0 = data.weight
    for k in range(data.action.shape[1] + 1):
        value = scalar.decode(out.values[k], model.config.value)
        error = (value - data.value[:, k]).abs()
        real = data.inside[:, k]
        checks[f"value_error@{k}"] = (error * real).sum() / real.sum().clamp(min=1)
        if k == 0:
            error0 = error
            continue
        reward = scalar.decode(out.rewards[k - 1], model.config.reward)
        wanted, played = data.reward[:, k - 1], data.inside[:, k - 1]
        pays = played & (wanted != 0)
        seen = pays & (reward * wanted.sign() >= 0.5 * wanted.abs())
        empty = played & (wanted == 0)
        wrong = empty & (reward.abs() > 0.5 * smallest)
        checks[f"recall@{k}"] = seen.sum() / pays.sum()
        checks[f"false@{k}"] = wrong.sum() / empty.sum().clamp(min=1)
    return checks, error0
