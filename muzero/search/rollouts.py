"""Rollouts in the model: sequences of actions from N positions, with an opponent that replies for itself.

The return of a sequence is seen by the player to move at its root: G = sum_t (prod_{i<t} d_i) r_t + (prod_i d_i) v_H,
with the signed discounts d of the model, so that the product's sign says whose turn it is and its size how likely the
game still goes on. An action is never chosen for the opponent's good: where the product is negative, the opponent plays
the best of its likeliest replies, as it sees them one move ahead. A sequence whose opponent cooperates is no plan.

Shape letters: N positions, P sequences of each, R = N * P, A actions, *L one latent.
"""

from __future__ import annotations

import torch
from torch import Tensor

from muzero.model.protocol import Model, RootOutput, StepOutput

PLAUSIBLE = 0.01
"""Least probability, as a share of the likeliest action's, of an action that is tried at an imagined position: no mask
says what is legal there, but the policy has learned it."""


def plausible(logits: Tensor) -> Tensor:
    """Which actions [..., A] the policy of logits [..., A] takes seriously."""
    return torch.softmax(logits.float(), -1) >= PLAUSIBLE * torch.softmax(logits.float(), -1).amax(-1, keepdim=True)


def drawn(weights: Tensor, uniform: Tensor) -> Tensor:
    """Actions int64 [R] drawn in proportion to weights [R, A] by numbers uniform [R] in (0, 1)."""
    heights = weights.double().cumsum(-1)
    return (heights <= (uniform * heights[:, -1])[:, None]).sum(-1).clamp(max=weights.shape[1] - 1)


class Rollouts:
    """Sequences under way, row n * P + p being sequence p of position n."""

    def __init__(self, model: Model, root: RootOutput, sequences: int, replies: int) -> None:
        """replies: of the opponent that are tried each time, the likeliest ones; 1 = its likeliest move."""
        self.model, self.sequences, self.replies = model, sequences, min(replies, model.num_actions)
        self.latent, *self.context = (part.repeat_interleave(sequences, 0) for part in (root.latent, *root.context))
        self.logits = root.logits.float().repeat_interleave(sequences, 0)
        self.value = root.value.double().repeat_interleave(sequences, 0)
        self.paid = torch.zeros_like(self.value)
        """[R] discounted rewards so far, for the player to move at the root"""
        self.factor = torch.ones_like(self.value)
        """[R] product of the signed discounts so far"""
        self.actions: list[Tensor] = []
        """[R] of each step, the opponent's among them"""

    @property
    def returns(self) -> Tensor:
        """float64 [N, P]."""
        return (self.paid + self.factor * self.value).view(-1, self.sequences)

    def step(self, action: Tensor) -> None:
        """One move further: action int64 [R] on the own turn, the opponent's best reply on its turn. Games that are
        over stay as they are."""
        own, other = (self.factor > 0.0).nonzero()[:, 0], (self.factor < 0.0).nonzero()[:, 0]
        replies = self._replies(other)
        rows = torch.cat((own, other.repeat_interleave(self.replies)))
        tried = torch.cat((action[own], replies.flatten()))
        made = action.clone()
        if len(rows) > 0:
            output = self.model.step(self.latent[rows], tried, *(part[rows] for part in self.context))
            kept = torch.cat((torch.arange(len(own), device=action.device), len(own) + self._best(output, len(own))))
            going = torch.cat((own, other))
            self._advance(going, kept, output)
            made[going] = tried[kept]
        self.actions.append(made)

    def _replies(self, other: Tensor) -> Tensor:
        """Actions [O, replies] that the opponent tries in rows other [O]: the likeliest, again where the next ones are
        not plausible."""
        found = self.logits[other].topk(self.replies, -1).indices
        return torch.where(plausible(self.logits[other]).gather(1, found), found, found[:, :1])

    def _best(self, output: StepOutput, first: int) -> Tensor:
        """[O] which of the opponent's answers, from row `first` of the output on, is best for the opponent."""
        worth = (output.reward.double() + output.discount.double() * output.value.double())[first:]
        best = worth.view(-1, self.replies).argmax(1)
        return torch.arange(len(best), device=best.device) * self.replies + best

    def _advance(self, going: Tensor, kept: Tensor, output: StepOutput) -> None:
        """Rows going [G] are where rows kept [G] of the output say."""
        factor = self.factor[going]
        self.paid[going] += factor * output.reward.double()[kept]
        self.factor[going] = factor * output.discount.double()[kept]
        self.latent[going] = output.latent[kept]
        self.logits[going] = output.logits.float()[kept]
        self.value[going] = output.value.double()[kept]
