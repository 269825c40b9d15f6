"""Batched tree search: drives the C++ tree search and a model; the algorithm is in C++.

The tree search picks a leaf in every tree, the model evaluates all leaves in one batch, and the tree search takes the
outputs and picks the next leaves in the same call (`advance`), while its data is still in the CPU cache. The batch may
be divided into groups of trees, so that the CPU works on one group while a GPU works on another.
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
from muzero.search.inference import Answers, Inference, SearchTime, inference
from muzero.search.nodes import Nodes
from selfplay.planner import Plan

GPU_PARTS = 2


def groups_on(device: torch.device) -> int:
    """The best number of groups for a model on `device`."""
    return 1 if device.type == "cpu" else GPU_PARTS


class Group:
    """Some trees of a batch: their C++ search and their inference."""

    def __init__(self, config: SearchConfig, actions: int, trees: int, spent: SearchTime) -> None:
        self.simulations, self.trees, self.spent = config.simulations, trees, spent
        self.tree = cpp_mcts.Search(trees, actions, config.simulations, **config.tree_settings)
        self.inference: Inference | None = None
        self._model: Model | None = None
        self._waiting = False

    def reset(
        self, model: Model, obs: NDArray[np.generic] | Tensor, legal: MaskArray, seeds: NDArray[np.uint64], count: int
    ) -> None:
        """Reset to new roots: obs [b, *O] of b <= trees rows."""
        if self.inference is None or self._model is not model:
            self._model, self.inference = model, inference(model, self.simulations, self.trees, self.spent)
        self._waiting = False
        logits, value = self.inference.root(obs, legal)
        self.spent.start()
        self.tree.reset(logits, value, np.ascontiguousarray(legal), seeds, simulations=count)
        self.spent.tree += self.spent.lap()

    def start(self) -> None:
        """Select the first leaf in every tree and launch the model on the leaves."""
        self._launch(1, self.tree.select(*self._rows()))

    def go_on(self, slot: int) -> None:
        """Expand with the model's outputs, select the next leaves and launch the model again; the new nodes get number
        `slot`."""
        answers = self._answers()
        if answers is None:
            leaves = self.tree.select(*self._rows())
        else:
            leaves = self.tree.advance(*answers, *self._rows())
        self._launch(slot, leaves)

    def finish(self) -> None:
        """Expand with the model's last outputs."""
        answers = self._answers()
        if answers is None:
            return
        self.tree.expand(*answers)
        self.spent.tree += self.spent.lap()

    def _rows(self) -> tuple[IntArray, IntArray, IntArray]:
        """Arrays for the leaves: tree, slot of the parent, action."""
        assert self.inference is not None
        rows, leaves = self.tree.active_trees, self.inference.leaves
        return leaves[0, :rows], leaves[1, :rows], leaves[2, :rows]

    def _answers(self) -> Answers | None:
        """The model's outputs; None if no tree waits for it, because each walk ended at a terminal node."""
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
        """Write the results into `rows` of the batch's arrays."""
        self.spent.start()
        self.tree.result(into.visits[rows], into.policy[rows], into.q[rows], into.value[rows], into.action[rows])
        self.spent.tree += self.spent.lap()


class TreeSearch:
    """Searches up to `trees` positions at once with one model. Allocates everything at the first search.

    Equal inputs, weights and seeds give equal results; rows don't influence each other, so `groups`, the number of
    groups of trees, affects only the speed.
    """

    def __init__(self, config: SearchConfig, actions: int, trees: int, groups: int = 1) -> None:
        self.config, self.actions, self.trees = config, actions, trees
        self.spent = SearchTime()
        self.width = -(-trees // groups)
        """Trees per group."""
        self.groups = [Group(config, actions, min(self.width, trees - start), self.spent)
                      for start in range(0, trees, self.width)]

    def run(
        self, model: Model, obs: NDArray[np.generic] | Tensor, legal: MaskArray, seeds: NDArray[np.uint64],
        simulations: int | None = None,
    ) -> Plan:
        """Search positions obs [B, *O] with legal moves bool [B, A]; B <= trees.

        seeds uint64 [B] seed each tree's random generator. simulations defaults to the configured number, which is also
        the most. Raises SearchError for model outputs that no search can use, after which new searches are possible,
        and ValueError for a row without a legal move.
        """
        count = self.config.simulations if simulations is None else simulations
        if len(legal) > self.trees:
            raise ValueError(f"expected at most {self.trees} positions, got {len(legal)}")
        slices = [slice(start, min(start + self.width, len(legal))) for start in range(0, len(legal), self.width)]
        groups = list(zip(self.groups, slices, strict=False))
        plan = self._empty(len(legal), count)
        try:
            with torch.inference_mode():
                for group, rows in groups:
                    group.reset(model, obs[rows], legal[rows], seeds[rows], count)
                self._simulate([group for group, _ in groups], count)
            for group, rows in groups:
                group.result(rows, plan)
        except cpp_mcts.BadNumbers as error:
            raise SearchError(f"the model's outputs can't be searched: {error}") from error
        return plan

    def variation(self, row: int) -> list[int]:
        """The line that the last search expects in `row`, starting with the move it would play."""
        moves: list[int] = self.groups[row // self.width].tree.principal_variation(row % self.width).tolist()
        return moves

    def nodes(self, row: int) -> Nodes:
        """The tree that the last search has left in `row`."""
        columns = self.groups[row // self.width].tree.nodes(row % self.width)
        return Nodes(*(columns[name] for name in Nodes._fields))

    def _simulate(self, groups: list[Group], count: int) -> None:
        for group in groups:
            group.start()
        for slot in range(2, count + 1):
            for group in groups:
                group.go_on(slot)
        for group in groups:
            group.finish()

    def _empty(self, batch: int, simulations: int) -> Plan:
        table: FloatArray = np.empty((batch, self.actions), dtype=np.float32)
        visits: IntArray = np.empty((batch, self.actions), dtype=np.int32)
        return Plan(
            visits, table, np.empty_like(table), np.empty(batch, dtype=np.float32), np.empty(batch, dtype=np.int32),
            weights=None if PLANNERS[self.config.algorithm].draws else visits, work=simulations)

    @property
    def memory_bytes(self) -> tuple[int, int]:
        """Bytes of the trees on the host, and of the latents on the model's device."""
        pools = [group.inference.pool for group in self.groups if group.inference is not None]
        return (sum(group.tree.memory_bytes for group in self.groups),
                sum(pool.rows.nbytes for pool in pools if pool is not None))
