"""CUDA graphs: work on fixed tensors recorded once and started with one call; numbers sent to the host meanwhile.

On CUDA a small network's step is hundreds of short kernels, and starting them one by one takes longer than they run. A
graph starts them all at once; its inputs must then lie in the same place each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
WARM_UPS = 3
"""Times that work is done before it is recorded: libraries choose their algorithms and optimizers make their state."""


class Sent:
    """A tensor on its way to the host. Reading it waits for what made it, not for what was started later."""

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
    """How work on tensors that stay where they are is made repeatable."""

    def warm(self, work: Callable[[], T]) -> T:
        """Do it once, where it will be recorded."""

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        """Record without doing it; what is given back starts it and gives what `work` would. Raises RuntimeError."""

    def wait(self) -> None:
        """Until what was started on the recorder's own stream is done."""


class CudaGraphs:
    """Records CUDA graphs, in one pool of memory: only the newest replay's results are whole."""

    def __init__(self, *, own_stream: bool) -> None:
        """own_stream: replay where it was recorded, beside other work, for a host that waits for it with `wait`; no
        other thread may use CUDA during a recording. Otherwise replay in the order of the caller's stream."""
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
