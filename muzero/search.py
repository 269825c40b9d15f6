"""Drives the C++ tree and a model through one batched search; knows no algorithm.

The tree picks a leaf in every game, the model evaluates all leaves in one batch, the tree takes the numbers in.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cpp_mcts
from muzero.config import SearchConfig
from muzero.latents import LatentPool
from muzero.models.base import Model
from muzero.records import FloatArray, MaskArray, SearchResult


class SearchError(RuntimeError):
    """The model gave numbers no search can use."""


def host(tensor: Tensor) -> FloatArray:
    """A float32 C-contiguous numpy array with the tensor's values; no copy on a CPU."""
    array: FloatArray = tensor.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
    return array


class TreeSearch:
    """Searches up to `trees` positions at once with one model. Reserves everything at the first search.

    Equal inputs, weights and seeds give equal results; rows don't influence each other in the tree.
    """

    def __init__(self, config: SearchConfig, actions: int, trees: int) -> None:
        self.config, self.actions, self.trees = config, actions, trees
        settings = asdict(config)
        simulations = settings.pop("simulations")
        self.tree = cpp_mcts.Search(trees, actions, simulations, **settings)
        self._latents: LatentPool | None = None
        self._leaves = np.empty((3, trees), dtype=np.int32)

    def run(
        self, model: Model, obs: NDArray[np.generic] | Tensor, legal: MaskArray, seeds: NDArray[np.uint64],
        simulations: int | None = None,
    ) -> SearchResult:
        """Search positions obs [B, *O] with legal moves bool [B, A]; B <= trees.

        seeds uint64 [B] is each tree's own random stream. simulations defaults to the configured number, which is
        also the most. Raises SearchError if the model's numbers are not finite, ValueError for a row without a legal
        move.
        """
        count = self.config.simulations if simulations is None else simulations
        batch = len(legal)
        with torch.inference_mode():
            root = model.root(torch.as_tensor(obs, device=model.device), torch.as_tensor(legal, device=model.device))
            pool = self._pool(root.latent, batch)
            try:
                allowed = np.ascontiguousarray(legal)
                self.tree.reset(host(root.logits), host(root.value), allowed, seeds, simulations=count)
                for slot in range(1, count + 1):
                    self._simulate(model, pool, slot, batch)
            except ValueError as error:
                if "finite" in str(error) or "discount" in str(error):
                    raise SearchError(f"the model's outputs are not finite: {error}") from error
                raise
        return self._result(batch)

    def _pool(self, roots: Tensor, batch: int) -> LatentPool:
        pool = self._latents
        if pool is None or not pool.fits(self.config.simulations, batch, roots):
            pool = LatentPool(self.config.simulations, batch, roots)
            self._latents = pool
        pool.put(0, roots)
        return pool

    def _simulate(self, model: Model, pool: LatentPool, slot: int, batch: int) -> None:
        tree, parent, action = (row[:batch] for row in self._leaves)
        leaves = self.tree.select(tree, parent, action)
        if leaves == 0:
            return
        index = torch.from_numpy(self._leaves[:, :leaves]).to(device=model.device, dtype=torch.int64)
        output = model.step(pool.take(index[1], index[0]), index[2])
        pool.put(slot, output.latent, None if leaves == batch else index[0])
        self.tree.expand(host(output.reward), host(output.discount), host(output.logits), host(output.value))

    def _result(self, batch: int) -> SearchResult:
        visits = np.empty((batch, self.actions), dtype=np.int32)
        policy = np.empty((batch, self.actions), dtype=np.float32)
        q = np.empty((batch, self.actions), dtype=np.float32)
        value = np.empty(batch, dtype=np.float32)
        action = np.empty(batch, dtype=np.int32)
        self.tree.result(visits, policy, q, value, action)
        return SearchResult(visits, policy, q, value, action)
