"""The learner: owns model, optimizer, learning-rate schedule and averaged weights; one `step` per minibatch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from muzero.config import LearnerConfig
from muzero.device.graphs import CudaGraphs, Recorder
from muzero.errors import MuZeroError
from muzero.learning.loss import Losses
from muzero.learning.optimizers import Optimizers
from muzero.learning.tensors import Tensors
from muzero.learning.update import Update
from muzero.model import auxiliary, border
from muzero.model.learned import LearnedModel
from muzero.model.protocol import SearchError
from muzero.replay.batch import Batch


class LearningError(MuZeroError, RuntimeError):
    """Loss, gradient or weights aren't finite: learning can't continue, and the state isn't worth saving."""


def learning_rate(config: LearnerConfig, progress: float) -> float:
    """Linear warm-up, a plateau until `decay_from`, then cosine decay to final_rate; progress in [0, 1]."""
    if config.warmup > 0 and progress < config.warmup:
        return config.learning_rate * max(progress / config.warmup, 1e-2)
    if progress <= config.decay_from:
        return config.learning_rate
    done = (min(progress, 1.0) - config.decay_from) / max(1e-9, 1.0 - config.decay_from)
    low = config.final_rate
    return config.learning_rate * (low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class StepReport:
    """Results of a step; its tensors may still be in transit."""

    losses: Losses
    gradient_norm: Tensor
    learning_rate: float


class Learner:
    """Owns the trained weights. `model` is trained; `averaged` (the same object when ema = 0) is for play."""

    def __init__(
        self, model: LearnedModel, config: LearnerConfig, *, deferred: bool | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """deferred: check each update one step later (default on a GPU), and replay updates with `recorder` if given.
        """
        self.model, self.config = model, config
        auxiliary.weights(config)  # so that what is wrong with them is told at once
        self.averaged: LearnedModel = model
        if config.ema > 0:
            self.averaged = LearnedModel(model.spec, model.config, model.gamma).to(model.device)
            self.averaged.load_state_dict(model.state_dict())
            self.averaged.requires_grad_(False)
        on_gpu = model.device.type == "cuda"
        later = on_gpu if deferred is None else deferred
        self.optimizers = Optimizers(model, config, on_device=later)
        if on_gpu and recorder is None and config.graphs == "auto":
            recorder = CudaGraphs(own_stream=False)
        self.update = Update(
            model, self.averaged, self.optimizers, config, deferred=later, recorder=recorder if later else None)
        self.steps = 0

    def step(self, batch: Batch, progress: float) -> StepReport:
        """One update on `batch` at training progress in [0, 1]. Raises LearningError before any weight changes; if
        updates are deferred, it concerns the previous update, since which no weight has changed, or observations.

        The report's tensors are valid until the next step.
        """
        rate, data = learning_rate(self.config, progress), Tensors.of(batch)
        for obs in (data.obs, data.later_obs):
            self._check_observations(obs)
        self.model.train()
        losses, norm = self.update.start(data, rate, self._blend)
        if self.update.deferred:
            self.settle()
        self.update.send(losses)
        self.steps += 1
        if not self.update.deferred:
            self.settle()
        # A graph returns the same object each time: drop what was cached from the old numbers.
        return StepReport(replace(losses), norm, rate)

    @property
    def normalises(self) -> bool:
        """Whether the model has an input normaliser, see `fit_normaliser`."""
        return self.model.standard is not None

    def fit_normaliser(self, obs: NDArray[Any]) -> None:
        """Fit the input normaliser, if the model has one, to obs [B, *O]. Call once, before the first step. Raises
        LearningError for observations that aren't finite."""
        self._check_observations(torch.from_numpy(obs))
        for model in {id(model): model for model in (self.model, self.averaged)}.values():
            if model.standard is not None:
                model.standard.measure(torch.from_numpy(obs))

    def _check_observations(self, obs: Tensor | None) -> None:
        # A ReLU may turn NaN into 0, so that the loss wouldn't show it.
        if obs is not None and not border.finite(obs):
            raise LearningError(f"step {self.steps + 1}: expected finite observations of the game "
                                f"{self.model.spec.name}, got NaN or infinity; the checkpoints are unchanged")

    @property
    def _blend(self) -> float:
        """Fraction of the trained weights in the averaged ones after the next step."""
        # Early on the average follows quickly, so that it forgets the random initialisation.
        return 1.0 - min(self.config.ema, (2.0 + self.steps) / (11.0 + self.steps))

    def settle(self) -> None:
        """Check the last update, if that was deferred. Raises LearningError."""
        if (trouble := self.update.trouble()) is not None:
            self.steps -= 1
            raise self._error(self.steps + 1, trouble)

    @staticmethod
    def _error(step: int, diagnosis: str) -> LearningError:
        return LearningError(f"step {step}: {diagnosis}. Lower learner.learning_rate or learner.clip; "
                             f"the checkpoints are unchanged")

    def check_finite(self) -> None:
        """Raises LearningError naming weights that an update made NaN or infinite, or too large to play with."""
        self.settle()
        parts = (self.model.state_dict(), self.averaged.state_dict(), self.optimizers.tensors())
        bad = {name: None for held in parts for name, value in held.items()
               if value.is_floating_point() and not value.isfinite().all()}
        if bad:
            raise LearningError(f"step {self.steps}: weights not finite in: {', '.join(bad)[:500]}. Lower "
                                f"learner.learning_rate or learner.clip; the checkpoints are unchanged")
        try:
            border.checked(self.averaged)
        except SearchError as error:
            raise LearningError(f"step {self.steps}: {error}; the checkpoints are unchanged") from error

    def restore(self, weights: dict[str, Tensor], averaged: dict[str, Tensor], optimizer: dict[str, Tensor],
                steps: int) -> None:
        """Restore weights, averaged weights and optimizer state from a checkpoint. Raises ValueError or RuntimeError
        naming a tensor that doesn't fit: a fused update would read and write it unchecked.
        """
        self.optimizers.check(optimizer)
        self.model.load_state_dict(weights)
        if self.averaged is not self.model:
            self.averaged.load_state_dict(averaged)
        self.optimizers.restore(optimizer)
        self.steps = steps
