"""Model calls, counted: a search model that tells how many steps of its dynamics it was asked for."""

from __future__ import annotations

from torch import Tensor

from muzero.model.protocol import RootOutput, SearchModel, StepOutput
from muzero.model.wrapper import Wrapper


class CountedModel(Wrapper):
    """`network`, and the number of latents in which it was asked for an action. Roots don't count."""

    def __init__(self, network: SearchModel) -> None:
        super().__init__(network)
        self.calls = 0

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        return self.network.root(obs, legal)

    def step(self, latent: Tensor, action: Tensor, *context: Tensor) -> StepOutput:
        self.calls += len(action)
        return self.network.step(latent, action, *context)
