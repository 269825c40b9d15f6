"""Legal actions in imagined positions: a search model that holds actions for impossible by its legality head.

The rules are known at the root alone. Beyond it a search and a rollout would try whatever the policy proposes, illegal
actions among them. Here the legality head has a say: an action less likely to be legal than a threshold gets the lowest
logit, which every planner takes for "no such action". Where no action passes, the game is over: as with the true rules,
nothing follows.
"""

from __future__ import annotations

import dataclasses
import math

from torch import Tensor

from muzero.model.networks.kind import Encoder
from muzero.model.protocol import IMPOSSIBLE, RootOutput, SearchError, SearchModel, StepOutput
from muzero.model.wrapper import Wrapper

USUAL = 0.1
"""Threshold for a planner that needs one where none is set."""


def illegal(legality: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Which actions bool [M, A] have a probability of being legal, by logits [M, A], below `least` in (0, 1); never all
    of them: not the most probable one. In which rows [M] it is below, too. None where a logit is NaN."""
    level, best = math.log(least) - math.log1p(-least), legality.amax(-1, keepdim=True)
    return legality < best.clamp(max=level), best[:, 0] < level


class MaskedModel(Wrapper):
    """`network` with the actions that its legality head holds for illegal made impossible in imagined positions, which
    are ends where all are."""

    def __init__(self, network: SearchModel, legality: Encoder, least: float) -> None:
        """legality: latents [M, *L] -> logits [M, A] of each action's probability of being legal; least: of these, in
        (0, 1), below which an action is impossible."""
        super().__init__(network)
        self.legality, self.least = legality, least

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        return self.network.root(obs, legal)

    def step(self, latent: Tensor, action: Tensor, *context: Tensor) -> StepOutput:
        output = self.network.step(latent, action, *context)
        wrong, over = illegal(self.legality(output.latent).float(), self.least)
        return dataclasses.replace(output, logits=output.logits.masked_fill(wrong, IMPOSSIBLE),
                                   discount=output.discount.masked_fill(over, 0.0))


def masked(model: SearchModel, least: float, needed: bool = False) -> SearchModel:
    """`model` with imagined moves limited by its legality head; itself for `least` 0, unless that is `needed` and there
    is a head. Raises SearchError for any other `least` if there is none."""
    legality: Encoder | None = getattr(model, "legality", None)
    if least == 0.0 and not (needed and legality is not None):
        return model
    if legality is None:
        raise SearchError(f"legality.least: expected 0 for a model without a legality head, got {least:g}; train one "
                          "with model.legality and learner.legality_weight")
    return MaskedModel(model, legality, least or USUAL)
