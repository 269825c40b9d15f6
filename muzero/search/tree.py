"""Batched tree search: drives the C++ tree and a model; the algorithm is the tree's.

The tree picks a leaf in every game, the model evaluates all leaves in one batch, the tree takes the numbers in and
picks the next leaves in the same call (`advance`), while what it wrote is still in the processor's cache. The batch may
be searched in parts, so that the tree works on one part while a GPU works on another.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cpp_mcts
from games.base import FloatArray, IntArray, MaskArray
from muzero.config import SearchConfig
from muzero.config.kinds import PLANNERS
from muzero.model.protocol import Model, SearchError
from muzero.search.inference import Answers, Inference, Spent, inference
from selfplay.planner import Plan

GPU_PARTS = 2


def parts_on(device: torch.device) -> int:
    """In how many parts a batch is best searched with a model on `device`."""
    return 1 if device.type == "cpu" else GPU_PARTS


class Part:
    """Some trees of a batch: the C++ search and the model's side of it."""

    def __init__(self, config: SearchConfig, actions: int, trees: int, spent: Spent) -> None:
        self.simulations, self.trees, self.spent = config.simulations, trees, spent
        self.tree = cpp_mcts.Search(trees, actions, config.simulations, **config.tree_settings)
        self.inference: Inference | None = None
        self._model: Model | None = None
        self._waiting = False

    def reset(
        self, model: Model, obs: NDArray[np.generic] | Tensor, legal: MaskArray, seeds: NDArray[np.uint64], count: int
    ) -> None:
        """New roots: obs [b, *O] of b <= trees rows."""
        if self.inference is None or self._model is not model:
            self._model, self.inference = model, inference(model, self.simulations, self.trees, self.spent)
        self._waiting = False
        logits, value = self.inference.root(obs, legal)
        self.spent.start()
        self.tree.reset(logits, value, np.ascontiguousarray(legal), seeds, simulations=count)
        self.spent.tree += self.spent.lap()

    def start(self) -> None:
        """Walk every tree to its first leaf and start the model on the leaves."""
        self._launch(1, self.tree.select(*self._rows()))

    def go_on(self, slot: int) -> None:
        """Take in the model's answers, walk on and start the model again; the new nodes will have number `slot`."""
        answers = self._answers()
        if answers is None:
            leaves = self.tree.select(*self._rows())
        else:
            leaves = self.tree.advance(*answers, *self._rows())
        self._launch(slot, leaves)

    def finish(self) -> None:
        """Take in the model's last answers."""
        answers = self._answers()
        if answers is None:
            return
        self.tree.expand(*answers)
        self.spent.tree += self.spent.lap()

    def _rows(self) -> tuple[IntArray, IntArray, IntArray]:
        """Where the tree writes its leaves: tree, slot of the parent, action."""
        assert self.inference is not None
        rows, leaves = self.tree.active_trees, self.inference.leaves
        return leaves[0, :rows], leaves[1, :rows], leaves[2, :rows]

    def _answers(self) -> Answers | None:
        """None if no tree waits for the model: each walk ended at a known end."""
        if not self._waiting:
            return None
        assert self.inference is not None
        return self.inference.wait()

    def _launch(self, slot: int, leaves: int) -> None:
        assert self.inference is not None
        self.spent.tree += self.spent.lap()
        self.spent.leaves += leaves
        self._waiting = leaves > 0
        if leaves:
            self.inference.launch(slot, leaves)

    def result(self, rows: slice, into: Plan) -> None:
        """Write what was found into `rows` of a whole batch's arrays."""
        self.spent.start()
        self.tree.result(into.visits[rows], into.policy[rows], into.q[rows], into.value[rows], into.action[rows])
        self.spent.tree += self.spent.lap()


class TreeSearch:
    """Searches up to `trees` positions at once with one model. Reserves everything at the first search.

    Equal inputs, weights and seeds give equal results; rows don't influence each other in the tree, so `parts`, in how
    many the batch is searched, changes only the time.
    """

    def __init__(self, config: SearchConfig, actions: int, trees: int, parts: int = 1) -> None:
        self.config, self.actions, self.trees = config, actions, trees
        self.spent = Spent()
        self.width = -(-trees // parts)
        """Trees of a part."""
        self.parts = [Part(config, actions, min(self.width, trees - start), self.spent)
                      for start in range(0, trees, self.width)]

    def run(
        self, model: Model, obs: NDArray[np.generic] | Tensor, legal: MaskArray, seeds: NDArray[np.uint64],
        simulations: int | None = None,
    ) -> Plan:
        """Search positions obs [B, *O] with legal moves bool [B, A]; B <= trees.

        seeds uint64 [B] is each tree's own random stream. simulations defaults to the configured number, which is
        also the most. Raises SearchError for numbers of the model that no search can use, after which a search may be
        run as before, ValueError for a row without a legal move.
        """
        count = self.config.simulations if simulations is None else simulations
        if len(legal) > self.trees:
            raise ValueError(f"{self.trees} positions at most, got {len(legal)}")
        slices = [slice(start, min(start + self.width, len(legal))) for start in range(0, len(legal), self.width)]
        parts = list(zip(self.parts, slices, strict=False))
        plan = self._empty(len(legal), count)
        try:
            with torch.inference_mode():
                for part, rows in parts:
                    part.reset(model, obs[rows], legal[rows], seeds[rows], count)
                self._simulate([part for part, _ in parts], count)
            for part, rows in parts:
                part.result(rows, plan)
        except cpp_mcts.BadNumbers as error:
            raise SearchError(f"the model's outputs can't be searched: {error}") from error
        return plan

    def variation(self, row: int) -> list[int]:
        """The moves the last search expects in `row`, from the one it would play."""
        moves: list[int] = self.parts[row // self.width].tree.principal_variation(row % self.width).tolist()
        return moves

    def _simulate(self, parts: list[Part], count: int) -> None:
        for part in parts:
            part.start()
        for slot in range(2, count + 1):
            for part in parts:
                part.go_on(slot)
        for part in parts:
            part.finish()

    def _empty(self, batch: int, simulations: int) -> Plan:
        table: FloatArray = np.empty((batch, self.actions), dtype=np.float32)
        visits: IntArray = np.empty((batch, self.actions), dtype=np.int32)
        return Plan(
            visits, table, np.empty_like(table), np.empty(batch, dtype=np.float32), np.empty(batch, dtype=np.int32),
            weights=None if PLANNERS[self.config.algorithm].draws else visits, work=simulations)

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """Bytes of the trees on the host, and of the latents where the model computes."""
        pools = [part.inference.pool for part in self.parts if part.inference is not None]
        return (sum(part.tree.memory_bytes for part in self.parts),
                sum(pool.rows.nbytes for pool in pools if pool is not None))
