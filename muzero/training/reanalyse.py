"""Reanalysis: searches stored positions again with newer weights, so that old games give fresh targets.

Schrittwieser et al. 2021, "Online and Offline RL by Planning with a Learned Model". A cursor cycles through the replay
window, oldest to newest, in batches of a size that suits the search. The new policies and root values are written back
to the replay buffer, so that all later samples use them. A position that self-play didn't search then has a policy
target.
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
"""Most searches that a run can owe: less than a batch of them, plus what one batch of samples adds."""


class Reanalyser:
    """Owes `learner.reanalyse_fraction` searches per sample, and pays in batches of `learner.reanalyse_batch`."""

    def __init__(self, config: Config) -> None:
        self.fraction, self.batch = config.learner.reanalyse_fraction, config.learner.reanalyse_batch
        self.config = config.search
        self.network = selfplay_network(config)
        self.model = for_selfplay(self.network, config)
        self.planner: ModelPlanner | None = None
        self.cursor = 0
        """The next position to search, counted from the first one ever stored."""
        self.debt = 0.0
        """Searches owed."""

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Use these weights of a model from now on."""
        self.network.load_state_dict(weights)
        self.model.refresh()

    def owe(self, samples: int) -> None:
        """Add the debt for `samples` sampled positions."""
        self.debt += self.fraction * samples

    def pay(self, replay: Replay, rng: np.random.Generator) -> int:
        """Search the next positions as long as a whole batch is owed; returns how many. No sampling may be in
        progress."""
        searched = 0
        while self.debt >= self.batch:
            searched += self._renew(replay, self.places(replay), rng)
            self.debt -= self.batch
        return searched

    def places(self, replay: Replay) -> NDArray[np.int64]:
        """Places [<= B] of the next positions, without duplicates; the cursor moves past them."""
        window = replay.window
        oldest = replay.written - window
        # The cursor's position may have been overwritten in the meantime.
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
        """Its state, as JSON values."""
        return {"cursor": self.cursor, "debt": self.debt}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `snapshot`. Raises KeyError or ValueError for anything else."""
        self.cursor = checkpoint.count_of(state, "cursor")
        self.debt = checkpoint.number_of(state, "debt", DEBT_LIMIT)
