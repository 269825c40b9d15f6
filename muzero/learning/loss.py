"""The K-step unroll and its losses, as pure functions.

Every step of the unroll is compared with what really happened (Schrittwieser et al. 2020, eq. 1 and appendix G). Steps
after the root have weight 1/K, the root as `learner.step_weights` says. The gradient that flows through a latent into
the previous step is scaled where the next step reads the latent, so that the heads keep their full gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from muzero.config import LearnerConfig
from muzero.learning.tensors import Tensors
from muzero.learning.validation import Predictions, model_checks, root_errors
from muzero.model import auxiliary, scalar
from muzero.model.auxiliary import auxiliary_terms
from muzero.model.imagined import Imagined
from muzero.model.learned import LearnedModel
from muzero.model.networks.prefix import sums


@dataclass(frozen=True)
class Unrolled:
    """Raw outputs along the unroll; the first axis is the step: K+1 of them, or K for outputs of a transition."""

    latents: list[Tensor]
    """K+1 times [B, *L]"""
    logits: Tensor
    """[K+1, B, A]"""
    values: Tensor
    """[K+1, B, units]"""
    rewards: Tensor
    """[K, B, units]"""
    movers: Tensor
    """[K, B, 3 or 0]"""


@dataclass(frozen=True)
class Losses:
    """Losses of one learning step, as tensors so that nothing waits for the device."""

    total: Tensor
    """[] what is minimised"""
    terms: dict[str, Tensor]
    """[] each, unweighted means over the batch, summed over steps with the step weights"""
    predicted: Predictions

    def detached(self) -> Losses:
        """The same numbers, without the autograd graph."""
        return Losses(self.total.detach(), self.terms, self.predicted)

    @cached_property
    def checks(self) -> dict[str, Tensor]:
        """[] each, diagnostics of the unroll: see `model_checks`. Computed at the first read; read before the next
        step."""
        return model_checks(self.predicted)

    @cached_property
    def value_error(self) -> Tensor:
        """[B] for priorities: see `root_errors`. Computed at the first read; read before the next step."""
        return root_errors(self.predicted)


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """Identity whose gradient is multiplied by `factor` in the backward pass."""
    scaled: Tensor = _ScaleGradient.apply(x, factor)  # type: ignore[no-untyped-call]
    return scaled


def unroll(model: LearnedModel, data: Tensors, state_gradient: float) -> Unrolled:
    """Run h once and g along the K real actions, and f on every latent. K is 0 for a model without g."""
    latents = [model.encode(data.obs)]
    rewards: list[Tensor] = []
    movers: list[Tensor] = []
    for k in range(data.action.shape[1]):
        latent, reward, mover = model.advance(scale_gradient(latents[-1], state_gradient), data.action[:, k])
        for found, kept in ((latent, latents), (reward, rewards), (mover, movers)):
            kept.append(found)
    # One call of f per latent: a single call on all of them is no faster, as its arrays outgrow the cache.
    said = [model.predict(latent) for latent in latents]
    return Unrolled(latents, torch.stack([x for x, _ in said]), torch.stack([x for _, x in said]),
                    _steps(rewards, data), _steps(movers, data))


def _steps(found: list[Tensor], data: Tensors) -> Tensor:
    """K times [B, units] stacked to [K, B, units], also for K = 0."""
    return torch.stack(found) if found else data.value.new_zeros((0, len(data.value), 0))


def compute(model: LearnedModel, data: Tensors, config: LearnerConfig) -> Losses:
    """Losses of one batch. Means are over the batch; masked steps count as 0."""
    out = unroll(model, data, config.state_gradient)
    weights = {"policy": config.policy_weight, "value": config.value_weight, "reward": config.reward_weight,
               "turn": config.discount_weight}
    weights |= {name: weight for name, weight in auxiliary.weights(config).items() if auxiliary.trains(model, name)}
    share = torch.full_like(out.values[:, :1, 0], 1.0 / max(1, data.action.shape[1]), dtype=torch.float32)
    if config.step_weights == "mean":
        share[:1].fill_(1.0)
    terms = _terms(model, data, out) | auxiliary_terms(model, Imagined(out.latents, data, model), config)
    sums = {name: (share[-len(term) :] * term).sum(0) for name, term in terms.items()}
    total = sum((weights[name] * term for name, term in sums.items()), torch.zeros_like(data.weight))
    with torch.no_grad():
        means = {name: sums[name].mean() if name in sums else total.new_zeros(())
                 for name, weight in weights.items() if weight > 0 and (name in sums or len(out.rewards) > 0)}
    predicted = Predictions(out.values.detach(), out.rewards.detach(), data, model.config)
    return Losses((data.weight * total).mean(), means, predicted)


def _terms(model: LearnedModel, data: Tensors, out: Unrolled) -> dict[str, Tensor]:
    """Each loss by step and row: [K+1, B], or [K, B] for those of a transition; 0 where there is nothing to learn."""
    inside, trained = data.in_game.T, data.value_mask.T
    terms = {
        "policy": policy_loss(out.logits, data.policy.transpose(0, 1), data.policy_mask.T),
        "value": scalar.loss(out.values, data.value.T, model.config.value) * trained,
    }
    if len(out.rewards) > 0:
        paid = sums(data.reward.T, model.config.prefix)
        # Every move that was made has a known reward, even the last one, whose next position is past the end.
        known = inside[:-1] | trained[1:]
        terms["reward"] = scalar.loss(out.rewards, paid, model.config.reward) * known
    if out.movers.shape[2] > 0:
        missed = F.cross_entropy(out.movers.flatten(0, 1).float(), data.next_mover.T.flatten(), reduction="none")
        terms["turn"] = missed.view_as(data.next_mover.T) * inside[:-1]
    return terms


def policy_loss(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy [...] of logits [..., A] against target [..., A], 0 where mask [...] is False."""
    return -(target * F.log_softmax(logits.float(), -1)).sum(-1) * mask
