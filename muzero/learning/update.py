"""The weight update: gradients, check for finite numbers, clipping, optimizers, averaged weights.

An update whose loss or gradient isn't finite changes nothing. If the host checked each one, it would wait for the GPU;
so on a GPU the device itself skips such an update and every later one, until the host has seen it, one step later.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from muzero.config import LearnerConfig
from muzero.device.graphs import Recorder, Sent
from muzero.device.precision import for_learning
from muzero.learning.graph_step import Recorded
from muzero.learning.loss import Losses, compute
from muzero.learning.optimizers import Optimizers
from muzero.learning.tensors import Tensors
from muzero.model import border
from muzero.model.learned import LearnedModel


class Members:
    """A model's parameters and buffers, cached: walking through its modules takes longer than a small layer."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters: list[Tensor] = list(model.parameters())
        self.buffers = list(model.buffers())


def forward(model: LearnedModel, data: Tensors, config: LearnerConfig) -> Losses:
    """Losses of a batch, in the number format of `learner.precision`."""
    low = for_learning(config.precision, model.kind.pictures, model.device) == torch.bfloat16
    with torch.autocast(model.device.type, torch.bfloat16, enabled=low):
        return compute(model, data, config)


def gradients(
    model: LearnedModel, members: Members, data: Tensors, config: LearnerConfig
) -> tuple[Losses, Tensor]:
    """Losses of a batch, and the norm [P] of the gradient of each parameter that has one."""
    for parameter in members.parameters:
        parameter.grad = None
    losses = forward(model, data, config)
    losses.total.backward()  # type: ignore[no-untyped-call]
    found = [p.grad for p in members.parameters if p.grad is not None]
    return losses.detached(), torch.stack(torch._foreach_norm(found))


def figures(losses: Losses, norm: Tensor, norms: Tensor) -> Tensor:
    """The figures of a step for a diagnosis: [loss, gradient norm, terms, norms]."""
    return torch.cat((torch.stack((losses.total, norm, *losses.terms.values())).float(), norms.float()))


def diagnosis(model: nn.Module, losses: Losses, found: Tensor) -> str:
    """A message that says which of `figures` aren't finite; `losses` gives the names of the terms."""
    total, norm, *rest = found.tolist()
    terms = ", ".join(f"{name} {value:.4g}" for name, value in zip(losses.terms, rest, strict=False))
    norms = found[2 + len(losses.terms) :].isfinite().tolist()
    names = [name for name, p in model.named_parameters() if p.grad is not None]
    bad = [name for name, finite in zip(names, norms, strict=True) if not finite]
    # An observation may be finite but too large for any network.
    largest = float(losses.predicted.data.obs.abs().amax())
    seen = f"; observations have entries up to {largest:.3g}" if largest > border.USUAL else ""
    return (f"loss {total:.4g}, gradient norm {norm:.4g} ({terms}); "
            f"gradients not finite in: {', '.join(bad) or 'none'}{seen}")


class Update:
    """One learning step: gradients, their check, clipping, optimizers, average. Changes nothing if loss or gradient
    aren't finite."""

    def __init__(
        self, model: LearnedModel, averaged: LearnedModel, optimizers: Optimizers, config: LearnerConfig, *,
        deferred: bool, recorder: Recorder | None = None,
    ) -> None:
        """averaged: follows `model`, unless it is the same object. deferred: the host doesn't check each update; the
        device skips one that isn't finite and all later ones, until the host has read its result. recorder: captures
        deferred updates as graphs."""
        self.model, self.optimizers, self.config, self.deferred = model, optimizers, config, deferred
        self.members = Members(model)
        self.averaged = None if averaged is model else Members(averaged)
        self.rate, self.bad = (torch.zeros((), device=model.device) for _ in range(2))
        """learning rate, if deferred; 1 since the first update that wasn't finite."""
        self.blend: float | Tensor = torch.zeros_like(self.bad) if deferred else 0.0
        """how far the averaged weights move"""
        self.figures: Tensor | None = None
        """[F] of the newest update that the host hasn't yet seen to be finite, or of the first that wasn't."""
        self.newest: tuple[Losses, Sent, Sent] | None = None
        self.recorded = None if recorder is None else Recorded(self._update, model.device, recorder)
        if deferred:
            optimizers.skip_where(self.bad)
            optimizers.set_rate(self.rate)

    def start(self, data: Tensors, rate: float, blend: float) -> tuple[Losses, Tensor]:
        """Start an update on a batch on the host: losses and gradient norm, valid until the next update.

        blend: fraction of the trained weights in the averaged ones. If deferred, `trouble` must have been called for
        the update before the last.
        """
        if isinstance(self.blend, Tensor):
            self.rate.fill_(rate)
            self.blend.fill_(blend)
        else:
            self.optimizers.set_rate(rate)
            self.blend = blend
        if self.model.device.type == "cuda":
            data = data.pinned()
        if self.recorded is not None:
            return self.recorded(data)
        return self._update(data.to(self.model.device))

    def send(self, losses: Losses) -> None:
        """Start copying the newest update's result to the host, unless the host has it."""
        if self.figures is not None:
            self.newest = (losses, Sent(self.bad), Sent(self.figures))

    def trouble(self) -> str | None:
        """What wasn't finite in the update last sent, if anything. Waits for that update."""
        if self.newest is None:
            return None
        losses, bad, found = self.newest
        if not bool(bad.read()):
            return None
        # Reset, so that a caller can continue from here.
        self.bad.zero_()
        self.newest = None
        return diagnosis(self.model, losses, found.read())

    def _update(self, data: Tensors) -> tuple[Losses, Tensor]:
        before = [buffer.clone() for buffer in self.members.buffers]
        losses, norms = gradients(self.model, self.members, data, self.config)
        with torch.no_grad():
            norm = torch.linalg.vector_norm(norms)
            finite = (norm + losses.total).isfinite()
            fine = not self.deferred and bool(finite)
            if not fine:
                self._note(finite, figures(losses, norm, norms))
                self._put_back(before)
            if fine or self.deferred:
                self._move(norm)
        return losses, norm

    def _note(self, finite: Tensor, found: Tensor) -> None:
        if self.figures is None:
            self.figures = torch.zeros_like(found)
        self.figures.copy_(torch.where(self.bad > 0, self.figures, found))
        self.bad.copy_(torch.maximum(self.bad, (~finite).float()))

    def _put_back(self, before: list[Tensor]) -> None:
        """Restore the buffers that the forward pass changed, if the update is skipped."""
        for buffer, old in zip(self.members.buffers, before, strict=True):
            buffer.copy_(torch.where(self.bad > 0, old, buffer))

    def _move(self, norm: Tensor) -> None:
        nn.utils.clip_grads_with_norm_(self.members.parameters, self.config.clip, norm)
        self.optimizers.step()
        if self.averaged is not None:
            self._average(self.averaged)

    def _average(self, averaged: Members) -> None:
        if isinstance(self.blend, float):
            torch._foreach_lerp_(averaged.parameters, self.members.parameters, self.blend)
        else:
            step = list(torch._foreach_sub(self.members.parameters, averaged.parameters))
            torch._foreach_mul_(step, self.blend * (1.0 - self.bad))
            torch._foreach_add_(averaged.parameters, step)
        for held, buffer in zip(averaged.buffers, self.members.buffers, strict=True):
            held.copy_(buffer)
