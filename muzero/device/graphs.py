"""CUDA graphs: work on fixed tensors is captured once and replayed with one call; asynchronous copies to the host.

On CUDA a small network's step is hundreds of short kernels, and launching them one by one takes longer than running
them. A graph launches them all at once; its inputs must then be at the same addresses each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
WARM_UPS = 3
"""Runs before the capture, in which libraries choose their algorithms and optimizers create their state."""


class Sent:
    """A tensor being copied to the host. Reading it waits for what computed it, not for later work."""

    def __init__(self, tensor: Tensor) -> None:
        self.event: torch.cuda.Event | None = None
        self.host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        self.host.copy_(tensor.detach(), non_blocking=True)
        if tensor.is_cuda:
            self.event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self.event.record()

    def read(self) -> Tensor:
        """Its values, on the CPU."""
        if self.event is not None:
            self.event.synchronize()
        return self.host


class Recorder(Protocol):
    """Captures work on tensors at fixed addresses, for replay."""

    def warm(self, work: Callable[[], T]) -> T:
        """Run the work once, on the stream where it will be captured."""

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        """Capture the work without running it; the returned function replays it and returns `work`'s result. Raises
        RuntimeError."""

    def wait(self) -> None:
        """Wait for the work launched on the recorder's own stream."""


class CudaGraphs:
    """Captures CUDA graphs in one memory pool: only the results of the newest replay are valid."""

    def __init__(self, *, own_stream: bool) -> None:
        """own_stream: replay on the stream of the capture, concurrently with other work, for a host that calls `wait`;
        no other thread may use CUDA during a capture. Otherwise replay in order on the caller's stream."""
        self.own_stream = own_stream
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()
        self.errors = "global" if own_stream else "thread_local"

    def warm(self, work: Callable[[], T]) -> T:
        before = torch.cuda.current_stream()
        self.stream.wait_stream(before)
        with torch.cuda.stream(self.stream):
            done = work()
        if self.own_stream:
            self.wait()
        else:
            before.wait_stream(self.stream)
        return done

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode=self.errors):
            done = work()

        def repeat() -> T:
            with torch.cuda.stream(self.stream) if self.own_stream else contextlib.nullcontext():
                graph.replay()
            return done

        return repeat

    def wait(self) -> None:
        self.stream.synchronize()
