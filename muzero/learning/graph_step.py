"""A learning step as CUDA graphs: one for each batch shape; inputs are copied to fixed addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch

from muzero.device.graphs import WARM_UPS, Recorder
from muzero.errors import MuZeroError
from muzero.learning.tensors import Tensors

T = TypeVar("T")


class RecordingError(MuZeroError, RuntimeError):
    """The device failed to capture a graph."""


@dataclass
class _Held(Generic[T]):
    """One input shape: its fixed tensors, number of calls, and captured graph."""

    data: Tensors
    calls: int = 0
    repeat: Callable[[], T] | None = None


class Recorded(Generic[T]):
    """Calls `work` on tensors of `device` at fixed addresses; after `WARM_UPS` calls with a shape, replays its graph.

    A failed capture raises RecordingError: there is no fallback.
    """

    def __init__(self, work: Callable[[Tensors], T], device: torch.device, recorder: Recorder) -> None:
        self.work, self.device, self.recorder = work, device, recorder
        self.held: dict[tuple[object, ...], _Held[T]] = {}

    def __call__(self, host: Tensors) -> T:
        """`host`: inputs on the CPU, pinned if the device is a GPU."""
        held = self._held(host)
        for name, place in held.data.named().items():
            place.copy_(getattr(host, name), non_blocking=True)
        if held.calls < WARM_UPS:
            held.calls += 1
            return self.recorder.warm(lambda: self.work(held.data))
        if held.repeat is None:
            held.repeat = self._record(held.data)
        return held.repeat()

    def _held(self, host: Tensors) -> _Held[T]:
        given = host.named()
        key = tuple((name, tensor.shape, tensor.dtype) for name, tensor in given.items())
        if key not in self.held:
            places = {name: torch.empty_like(tensor, device=self.device) for name, tensor in given.items()}
            self.held[key] = _Held(replace(host, **places))
        return self.held[key]

    def _record(self, data: Tensors) -> Callable[[], T]:
        try:
            return self.recorder.record(lambda: self.work(data))
        except RuntimeError as error:
            raise RecordingError("the learning step can't be captured as a CUDA graph: set learner.graphs to off, "
                                 "which is slower") from error
