"""Batched inference for tree search: runs the model on leaves and keeps latents on its device.

The tree writes leaves into `leaves`; `launch` starts the model on them, `wait` returns its outputs. On a CPU, `launch`
does all the work. On CUDA it replays a captured graph, which includes small copies in both directions, so that the tree
can work on another group of trees meanwhile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games.base import FloatArray, IntArray, MaskArray
from muzero.device.graphs import WARM_UPS, CudaGraphs, Recorder
from muzero.model.protocol import Model, RootOutput
from muzero.search.latents import LatentPool
from selfplay.stopwatch import Stopwatch


@dataclass
class SearchTime(Stopwatch):
    """Where the time of searches went, in nanoseconds of wall-clock time."""

    tree: int = 0
    network: int = 0
    """On CUDA: the remaining wait when the tree had nothing else to do."""
    copies: int = 0
    """Gathering and scattering latents, copying outputs to the host. On CUDA: the launches."""
    leaves: int = 0
    """Not a time: number of leaves evaluated."""


class Answers(NamedTuple):
    """The model's outputs for M leaves: fields of a `StepOutput`, in the order in which the tree takes them; float32,
    valid until the next launch."""

    reward: FloatArray
    """[M]"""
    discount: FloatArray
    """[M]"""
    logits: FloatArray
    """[M, A]"""
    value: FloatArray
    """[M]"""


SCALARS = tuple(name for name in Answers._fields if name != "logits")
"""Fields with one number per leaf."""


class Inference(Protocol):
    """The model as used by a search, for up to `width` trees."""

    leaves: IntArray
    """[3, width] tree, slot of the parent, action: written by the tree before a launch"""
    pool: LatentPool | None
    """None before the first search"""

    def root(self, obs: NDArray[Any] | Tensor, legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        """Logits [B, A] and value [B] of obs [B, *O]; stores their latents."""

    def launch(self, slot: int, count: int) -> None:
        """Start evaluating the first `count` leaves; their latents go to `slot`."""

    def wait(self) -> Answers:
        """Wait for the last launch and return its outputs."""


def host(tensor: Tensor) -> FloatArray:
    """The tensor as a float32 C-contiguous numpy array; without copying on a CPU."""
    array: FloatArray = tensor.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
    return array


def fitting(pool: LatentPool | None, simulations: int, trees: int, roots: RootOutput) -> LatentPool:
    """`pool` if it can hold the search, otherwise a new one."""
    if pool is not None and pool.fits(simulations, trees, roots.latent, roots.context):
        return pool
    return LatentPool(simulations, trees, roots.latent, roots.context)


class HostInference:
    """Inference on a CPU, where `launch` does the work."""

    def __init__(self, model: Model, simulations: int, width: int, spent: SearchTime) -> None:
        self.model, self.simulations, self.width, self.spent = model, simulations, width, spent
        self.leaves: IntArray = np.zeros((3, width), dtype=np.int32)
        self.pool: LatentPool | None = None
        self.answers: Answers | None = None

    def root(self, obs: NDArray[Any] | Tensor, legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        self.spent.start()
        output = self.model.root(torch.as_tensor(obs), torch.as_tensor(legal))
        self.spent.network += self.spent.lap()
        self.pool = fitting(self.pool, self.simulations, self.width, output)
        self.pool.begin(output)
        return host(output.logits), host(output.value)

    def launch(self, slot: int, count: int) -> None:
        assert self.pool is not None
        tree, parent, action = torch.from_numpy(self.leaves[:, :count].astype(np.int64))
        latent, context = self.pool.gather(parent * self.width + tree), self.pool.context_of(tree)
        self.spent.copies += self.spent.lap()
        output = self.model.step(latent, action, *context)
        self.spent.network += self.spent.lap()
        self.pool.scatter(tree + slot * self.width, output.latent)
        self.answers = Answers(*(host(getattr(output, name)) for name in Answers._fields))
        self.spent.copies += self.spent.lap()

    def wait(self) -> Answers:
        assert self.answers is not None
        return self.answers


class GraphedInference:
    """Inference on CUDA (or, for tests, any device): one graph replay per simulation, at a fixed width.

    Rows without a leaf compute on an unused latent. `recorder` makes a new recorder for each capture.
    """

    def __init__(
        self, model: Model, simulations: int, width: int, spent: SearchTime,
        recorder: Callable[[], Recorder] | None = None,
    ) -> None:
        self.model, self.simulations, self.width, self.spent = model, simulations, width, spent
        self.make_recorder = recorder or functools.partial(CudaGraphs, own_stream=True)
        cuda = model.device.type == "cuda"
        self.given_host = torch.zeros(3 * width + 1, dtype=torch.int32, pin_memory=cuda)
        self.given = torch.zeros(3 * width + 1, dtype=torch.int32, device=model.device)
        self.leaves: IntArray = self.given_host[:-1].numpy().reshape(3, width)
        size = width * (model.num_actions + len(SCALARS))
        self.found_host = torch.zeros(size, dtype=torch.float32, pin_memory=cuda)
        self.found = torch.zeros(size, dtype=torch.float32, device=model.device)
        self.pool: LatentPool | None = None
        self.recorder: Recorder | None = None
        self.repeat: Callable[[], None] | None = None
        """The captured step for the current pool."""
        self.count = 0

    def root(self, obs: NDArray[Any] | Tensor, legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        device = self.model.device
        self.spent.start()
        output = self.model.root(torch.as_tensor(obs, device=device), torch.as_tensor(legal, device=device))
        pool = fitting(self.pool, self.simulations, self.width + 1, output)
        if pool is not self.pool:
            self.pool, self.recorder, self.repeat = pool, None, None
        pool.begin(output)
        answers = host(output.logits), host(output.value)
        self.spent.network += self.spent.lap()
        return answers

    def launch(self, slot: int, count: int) -> None:
        self.count = count
        self.leaves[0, count:] = self.width
        self.given_host[-1] = slot
        if self.repeat is None:
            self.repeat = self._record()
        self.repeat()
        self.spent.copies += self.spent.lap()

    def _record(self) -> Callable[[], None]:
        self.recorder = self.make_recorder()
        self.recorder.warm(self._warm_up)
        return self.recorder.record(self._step)

    def _warm_up(self) -> None:
        for _ in range(WARM_UPS):
            self._step()

    def _step(self) -> None:
        assert self.pool is not None
        self.given.copy_(self.given_host, non_blocking=True)
        given = self.given.long()
        tree, parent, action = given[:-1].view(3, self.width)
        trees = self.width + 1
        output = self.model.step(self.pool.gather(parent * trees + tree), action, *self.pool.context_of(tree))
        self.pool.scatter(given[-1] * trees + tree, output.latent)
        parts = (output.logits.flatten(), *(getattr(output, name) for name in SCALARS))
        torch.cat([part.float() for part in parts], out=self.found)
        self.found_host.copy_(self.found, non_blocking=True)

    def wait(self) -> Answers:
        assert self.recorder is not None
        self.recorder.wait()
        self.spent.network += self.spent.lap()
        width, count, numbers = self.width, self.count, self.found_host.numpy()
        behind = -len(SCALARS) * width
        scalars = dict(zip(SCALARS, numbers[behind:].reshape(-1, width)[:, :count], strict=True))
        return Answers(logits=numbers[:behind].reshape(width, -1)[:count], **scalars)


def inference(model: Model, simulations: int, width: int, spent: SearchTime) -> Inference:
    """The inference that suits the device of `model`."""
    if model.device.type == "cpu":
        return HostInference(model, simulations, width, spent)
    return GraphedInference(model, simulations, width, spent)
