"""Searches stored positions again with newer weights, so that old games give fresh targets.

Schrittwieser et al. 2021, "Online and Offline RL by Planning with a Learned Model". A cursor walks over the positions
that are drawn from, oldest to newest and then again, in batches as large as a search likes them. The renewed policies
and root values are written back to the replay: everyone who draws them later profits. A position that
self-play didn't search has a policy to train from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from muzero.config import Config
from muzero.replay.buffer import Replay
from muzero.search.planners import ModelPlanner, planner
from muzero.storage import checkpoint
from muzero.training.actors import for_selfplay, selfplay_network
from selfplay.trajectory import StoredPlan

DEBT_LIMIT = float(1 << 21)
"""Searches that a run can owe at most: less than a batch of them, and what one batch of samples adds."""


class Reanalyser:
    """Owes `learner.reanalyse_fraction` of a search for each sample drawn, and pays in batches of
    `learner.reanalyse_batch`."""

    def __init__(self, config: Config) -> None:
        self.fraction, self.batch = config.learner.reanalyse_fraction, config.learner.reanalyse_batch
        self.config = config.search
        self.network = selfplay_network(config)
        self.model = for_selfplay(self.network, config)
        self.planner: ModelPlanner | None = None
        self.cursor = 0
        """The next position to search, counted from the first that was ever stored."""
        self.debt = 0.0
        """Searches owed."""

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Search with these weights of a model from now on."""
        self.network.load_state_dict(weights)
        self.model.refresh()

    def owe(self, samples: int) -> None:
        """`samples` positions were drawn."""
        self.debt += self.fraction * samples

    def pay(self, replay: Replay, rng: np.random.Generator) -> int:
        """Search the next positions of the replay as long as a whole batch is owed; how many they were. No draw may be
        under way."""
        searched = 0
        while self.debt >= self.batch:
            searched += self._renew(replay, self.places(replay), rng)
            self.debt -= self.batch
        return searched

    def places(self, replay: Replay) -> NDArray[np.int64]:
        """Places [<= B] of the next positions, each once; the cursor moves on behind them."""
        window = replay.window
        oldest = replay.written - window
        # What the cursor pointed to may have been overwritten meanwhile.
        start = self.cursor - oldest if oldest <= self.cursor < replay.written else 0
        numbers = oldest + (start + np.arange(min(self.batch, window))) % window
        self.cursor = int(numbers[-1]) + 1
        places = numbers % replay.capacity
        return places[replay.drawable(places)]

    def _renew(self, replay: Replay, places: NDArray[np.int64], rng: np.random.Generator) -> int:
        if self.planner is None:
            self.planner = planner(self.model, self.config, self.batch)
        seeds = rng.integers(0, 2**63, len(places), dtype=np.uint64)
        plan = self.planner.plan(replay.observations(places), replay.rings["legal"][places], seeds)
        replay.renew(places, StoredPlan.of(plan))
        return len(places)

    def snapshot(self) -> dict[str, Any]:
        """Where it stands, as JSON values."""
        return {"cursor": self.cursor, "debt": self.debt}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave. Raises KeyError or ValueError for anything else."""
        self.cursor = checkpoint.count_of(state, "cursor")
        self.debt = checkpoint.number_of(state, "debt", DEBT_LIMIT)
