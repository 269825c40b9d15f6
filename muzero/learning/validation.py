"""Validation of a model's predictions: their accuracy along the unroll, and the value error of each row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from muzero.config import ModelConfig
from muzero.learning.tensors import Tensors
from muzero.model import scalar
from muzero.model.networks.prefix import differences


@dataclass(frozen=True)
class Predictions:
    """Predictions and targets of an unroll, detached, for diagnostics."""

    values: Tensor
    """[K+1, B, units]"""
    rewards: Tensor
    """[K, B, units], or [0, B, 0] if none are predicted"""
    data: Tensors
    config: ModelConfig


@torch.no_grad()
def root_errors(predicted: Predictions) -> Tensor:
    """[B] |value - target| at the root in units of the value, for priorities: where the target isn't known, the mean of
    the known ones; NaN if none is known."""
    data, known, config = predicted.data, predicted.data.value_mask[:, 0], predicted.config.value
    error = (scalar.decode(predicted.values[0], config) - data.value[:, 0]).abs() / config.scale
    return torch.where(known, error, (error * known).sum() / known.sum())


@torch.no_grad()
def model_checks(predicted: Predictions) -> dict[str, Tensor]:
    """Accuracy of the model at each step k of the unroll: the first thing to look at when a run doesn't learn.

    recall@k        fraction of real nonzero rewards predicted with the right sign and at least half the size
    false@k         fraction of real moves without a reward for which it predicts more than half of a typical one, which
                    is the mean size of the batch's rewards: with chance, moves it thinks more likely paid than not
    value_error@k   mean |value - target| on real positions whose target is known

    NaN if there is nothing to judge.
    """
    data, config, in_game = predicted.data, predicted.config, predicted.data.in_game.T
    known = in_game & data.value_mask.T
    error = (scalar.decode(predicted.values, config.value) - data.value.T).abs()
    found = {"value_error": (error * known).sum(1) / known.sum(1)}
    if len(predicted.rewards) == 0:
        return {"value_error@0": found["value_error"][0]}
    reward = differences(scalar.decode(predicted.rewards, config.reward), config.prefix)
    found |= _reward_checks(reward, data.reward.T, in_game[:-1])
    names = ["value_error@0"] + [f"{name}@{k}" for k in range(1, len(in_game)) for name in found]
    return {name: _at(found, name, len(in_game)) for name in names}


def _reward_checks(reward: Tensor, target: Tensor, played: Tensor) -> dict[str, Tensor]:
    """Recall and false-alarm rate [K] of rewards [K, B] where played [K, B]."""
    pays, empty = played & (target != 0), played & (target == 0)
    seen = pays & (reward * target.sign() >= 0.5 * target.abs())
    # Without rewards the typical size is NaN, and no number is larger than NaN.
    wrong = empty & (reward.abs() > 0.5 * (target.abs() * pays).sum() / pays.sum())
    return {"recall": seen.sum(1) / pays.sum(1), "false": wrong.sum(1) / empty.sum(1).clamp(min=1)}


def _at(found: dict[str, Tensor], name: str, steps: int) -> Tensor:
    """The entry for a name like recall@2. Of K + 1 = `steps` steps, arrays of K entries start at step 1."""
    kind, _, k = name.partition("@")
    return found[kind][int(k) - steps]
