"""Search over a model of your own: any object with `root` and `step`, here a few lines of arithmetic and no network.

    python docs/examples/own_model.py               # two seconds

The game: take 1, 2 or 3 counters from a pile; whoever takes the last one wins. The model knows the rules and nothing
about good play (every prior is uniform, every value 0), so all that is found is found by the tree. A pile of a
multiple of 4 is lost; from any other pile, the winning move leaves one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from muzero.config import SearchConfig
from muzero.model.protocol import RootOutput, StepOutput
from muzero.search import TreeSearch
from selfplay.planner import Plan


class Counters:
    """A `muzero.model.protocol.Model`. A latent [M] is the number of counters left; action a takes a + 1 of them."""

    num_actions = 3
    device = torch.device("cpu")

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Piles obs [B, 1]."""
        return RootOutput(latent=obs[:, 0], logits=self.priors(obs[:, 0]), value=torch.zeros(len(obs)))

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """The signed discount says who moves next: -1 the other player, 0 nobody, the game is over."""
        left = latent - (action + 1)
        won = left == 0
        return StepOutput(
            latent=left, reward=won.float(), discount=torch.where(won, 0.0, -1.0), logits=self.priors(left),
            value=torch.zeros(len(left)))

    def priors(self, left: Tensor) -> Tensor:
        """Logits [B, 3]. The lowest float32 marks an action that the rules don't allow: it is never tried."""
        allowed = torch.arange(1, self.num_actions + 1) <= left[:, None]
        return torch.where(allowed, 0.0, torch.finfo(torch.float32).min)


def search(piles: list[int], simulations: int = 400) -> Plan:
    """Search all piles at once with pUCT. Values lie in [-1, 1], which is the default range of `SearchConfig`."""
    config = SearchConfig(algorithm="puct", simulations=simulations)
    model, obs = Counters(), np.array(piles, np.int64)[:, None]
    legal = np.arange(1, model.num_actions + 1) <= obs
    seeds = np.arange(len(piles), dtype=np.uint64)
    return TreeSearch(config, model.num_actions, trees=len(piles)).run(model, obs, legal, seeds)


def main() -> None:
    piles = list(range(1, 12))
    plan = search(piles)
    print("pile  take  value  visits of taking 1, 2, 3")
    for pile, action, value, visits in zip(piles, plan.action, plan.value, plan.visits, strict=True):
        print(f"{pile:>4}  {action + 1:>4}  {value:>+5.2f}  {visits}")


if __name__ == "__main__":
    main()
