"""Likeliest transition: reward and end of an imagined move as one of the outcomes that a move can have.

The mean of a doubtful prediction, half a win, is an outcome that no game without chance has, and a tree adds up
thousands of them. Where only the last move pays, a reward also says that the game is over. Read so, imagined games end,
even those of a model without a head for it, whose latents past an end are trained no further than `learner.unroll`.

Shape letters: M moves.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from games.base import GameSpec
from muzero.config import ConfigError, ModelConfig, ScalarConfig
from muzero.model import scalar

SURE = 1e4
"""Logit beside which the softmax of a logit of 0 is exactly 0."""


def check(spec: GameSpec, config: ModelConfig) -> None:
    """Raises ConfigError for a game or a model whose transitions have to be read as means."""
    if spec.stochastic or spec.rewards_on_the_way:
        why = "chance" if spec.stochastic else "rewards on the way"
        raise ConfigError(f"model.transition likeliest: expected a game without chance whose last move alone pays, got "
                          f"{spec.name}, which has {why}; set model.transition to expected")
    if config.prefix or config.reward.kind == "scalar":
        raise ConfigError("model.transition likeliest: expected a categorical reward of each move, got "
                          f"model.prefix {config.prefix} and model.reward.kind {config.reward.kind}")
    if not (_support(config.reward, torch.device("cpu")) == 0.0).any():
        raise ConfigError("model.transition likeliest: expected a bin for the reward 0 in model.reward, got "
                          f"{config.reward.bins} bins from {config.reward.low:g} to {config.reward.high:g}; an odd "
                          "number of them, with bounds of the same size, has one")


def likeliest_reward(output: Tensor, config: ScalarConfig) -> Tensor:
    """Head output [M, units] -> reward [M], that of the likeliest bin."""
    return _support(config, output.device)[output.argmax(-1)]


def likeliest_mover(mover: Tensor) -> Tensor:
    """Logits of the next mover [M, 3 or 0] that leave no doubt about the likeliest one."""
    return F.one_hot(mover.argmax(1), mover.shape[1]) * SURE if mover.shape[1] > 0 else mover


def _support(config: ScalarConfig, device: torch.device) -> Tensor:
    """[units] rewards that the bins stand for."""
    return scalar.told(torch.linspace(config.low, config.high, scalar.units(config), device=device), config)
