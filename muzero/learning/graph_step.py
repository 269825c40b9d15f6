"""Work on a GPU that the host starts and doesn't wait for: one recording for each shape of input, numbers sent home.

On CUDA a small network's step is hundreds of short kernels, and starting them one by one takes longer than they run. A
recording (a CUDA graph) starts them all at once; its inputs must then lie in the same place each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from muzero.learning.tensors import Tensors

T = TypeVar("T")
WARM_UPS = 3
"""Calls of each shape before it is recorded, in which libraries choose their algorithms and optimizers their state."""


class RecordingError(RuntimeError):
    """The device refused to record."""


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
        """Record without doing it; what is given back does it and gives what `work` would."""


class CudaGraphs:
    """Recordings as CUDA graphs in one pool of memory: only the newest replay's results are whole."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def warm(self, work: Callable[[], T]) -> T:
        before = torch.cuda.current_stream()
        self.stream.wait_stream(before)
        with torch.cuda.stream(self.stream):
            done = work()
        before.wait_stream(self.stream)
        return done

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on using CUDA meanwhile.
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                done = work()
        except RuntimeError as error:
            raise RecordingError("the learning step can't be recorded as a CUDA graph: set learner.graphs to off, "
                                 "which is slower") from error

        def repeat() -> T:
            graph.replay()
            return done

        return repeat


@dataclass
class _Held(Generic[T]):
    """One shape of input: where it lies, how often it came, and its recording."""

    data: Tensors
    calls: int = 0
    repeat: Callable[[], T] | None = None


class Recorded(Generic[T]):
    """Calls `work` on tensors of `device` that stay where they are; after `WARM_UPS` calls of a shape, its recording.

    A recording that fails raises: nothing else is run in its place.
    """

    def __init__(self, work: Callable[[Tensors], T], device: torch.device, recorder: Recorder) -> None:
        self.work, self.device, self.recorder = work, device, recorder
        self.held: dict[tuple[object, ...], _Held[T]] = {}

    def __call__(self, host: Tensors) -> T:
        """`host`: inputs on the CPU, pinned where the device is a GPU."""
        given = host.named()
        key = tuple((name, tensor.shape, tensor.dtype) for name, tensor in given.items())
        if key not in self.held:
            places = {name: torch.empty_like(tensor, device=self.device) for name, tensor in given.items()}
            self.held[key] = _Held(replace(host, **places))
        held = self.held[key]
        for name, place in held.data.named().items():
            place.copy_(given[name], non_blocking=True)
        if held.calls < WARM_UPS:
            held.calls += 1
            return self.recorder.warm(lambda: self.work(held.data))
        if held.repeat is None:
            held.repeat = self.recorder.record(lambda: self.work(held.data))
        return held.repeat()
