"""Legality head: which actions are legal in a position, told from its latent, imagined ones included."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.config import ModelConfig
from muzero.config.kinds import NETWORKS
from muzero.model.networks import fused, resnet
from muzero.model.networks.output_layer import output_layer


class DenseHead(nn.Module):
    """[B, *L] -> logits [B, A], from the flattened latent."""

    def __init__(self, size: int, hidden: int, actions: int) -> None:
        super().__init__()
        self.inner = nn.Linear(size, hidden)
        self.outer = output_layer(nn.Linear(hidden, actions))

    def forward(self, latent: Tensor) -> Tensor:
        out: Tensor = self.outer(F.relu(self.inner(latent.flatten(1))))
        return out


PART = 4
"""The head's hidden units are this part of those of the other heads: what is legal is easy to tell."""


def legality_head(spec: GameSpec, latent_shape: tuple[int, ...], config: ModelConfig) -> nn.Module:
    """[B, *latent_shape] -> logits [B, A] of each action's probability of being legal.

    On a board it is a policy head, so that its weights are shared over the board as the actions lie on it.
    """
    hidden = max(1, config.hidden // PART)
    on_board = latent_shape[1:] == spec.observation_shape[1:] and len(latent_shape) == 3
    if on_board and not NETWORKS[config.network].pictures:
        width, *board = latent_shape
        return resnet.PolicyHead(spec.num_actions, (board[0], board[1]), spec.layout, width, hidden, zero=False)
    return DenseHead(math.prod(latent_shape), hidden, spec.num_actions)


def fast(derived: fused.Derived, head: nn.Module) -> Callable[[Tensor], Tensor]:
    """The same function for search, with weights held by `derived`; logits in float32."""
    if isinstance(head, resnet.PolicyHead):
        return fused.PolicyHead(derived, head)
    assert isinstance(head, DenseHead)
    inner, outer = fused.Linear(derived, head.inner), fused.Linear(derived, head.outer)
    return lambda latent: outer(inner(latent.float().flatten(1)).relu_())
