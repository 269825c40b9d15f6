"""Prefetching: samples the next batch while the learner works on the current one."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np

from muzero.replay.batch import Batch
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, draw


class Batches:
    """Samples from one replay buffer, in the calling thread or in the background.

    The replay buffer and `rng` aren't locked: between `begin` and `rest` or `take` nothing else may use them. The
    loops release the interpreter lock (GIL), so they run in parallel with a learning step.
    """

    def __init__(self, replay: Replay, config: DrawConfig, rng: np.random.Generator) -> None:
        self.replay, self.config, self.rng = replay, config, rng
        self.waited = 0.0
        """Seconds that the caller has waited for batches."""
        self.begun = 0
        """Positions of the batch that was begun but not yet taken."""
        self._thread = ThreadPoolExecutor(1, "batches")
        self._next: Future[Batch] | None = None

    def draw(self, size: int) -> Batch:
        """A batch of `size` positions, sampled in the calling thread."""
        before = time.monotonic()
        batch = draw(self.replay, size, self.config, self.rng)
        self.waited += time.monotonic() - before
        return batch

    def begin(self, size: int) -> None:
        """Start sampling `size` positions in the background; the previous batch must have been taken."""
        assert self._next is None
        self.begun = size
        self._next = self._thread.submit(draw, self.replay, size, self.config, self.rng)

    def rest(self) -> None:
        """Wait until sampling has finished."""
        if self._next is not None and not self._next.done():
            before = time.monotonic()
            wait([self._next])
            self.waited += time.monotonic() - before

    def take(self) -> Batch | None:
        """The batch that was begun, None if none was. Raises what its sampling raised."""
        if self._next is None:
            return None
        self.rest()
        drawn, self._next, self.begun = self._next, None, 0
        return drawn.result()

    def close(self) -> None:
        """End the thread; a batch in progress is finished and discarded."""
        self._thread.shutdown(cancel_futures=True)
