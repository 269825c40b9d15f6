"""Searches stored positions again with newer weights, so that old games give fresh targets.

Schrittwieser et al. 2021, "Online and Offline RL by Planning with a Learned Model". The renewed policies and root
values are written back to the replay: everyone who draws them later profits.
"""

from __future__ import annotations

import numpy as np

from muzero.agent import build_model
from muzero.config import Config
from muzero.models.learned import LearnedModel
from muzero.records import Batch
from muzero.replay import DrawConfig, Replay
from muzero.search import TreeSearch
from selfplay.worker import device_of


class Reanalyser:
    """Renews a share of each batch before it is learned from."""

    def __init__(self, config: Config) -> None:
        self.fraction = config.learner.reanalyse_fraction
        self.config = config.search
        self.model = build_model(config).eval().to(device_of(config))
        self.model.requires_grad_(False)
        self.search: TreeSearch | None = None

    def load(self, model: LearnedModel) -> None:
        """Search with these weights from now on."""
        self.model.load_state_dict(model.state_dict())

    def renew(self, batch: Batch, replay: Replay, config: DrawConfig, rng: np.random.Generator) -> Batch:
        """Search a share of the batch's positions again, store the results, and make the batch's targets anew."""
        count = round(self.fraction * len(batch.index))
        if count == 0:
            return batch
        places = np.unique(batch.index[:count])
        if self.search is None or self.search.trees < len(places):
            self.search = TreeSearch(self.config, replay.spec.num_actions, max(count, len(places)))
        seeds = rng.integers(0, 2**63, len(places), dtype=np.uint64)
        result = self.search.run(self.model, replay.rings["obs"][places], replay.rings["legal"][places], seeds)
        replay.renew(places, result.policy, result.value)
        return replay.batch(batch.index, batch.weight, config, rng)
