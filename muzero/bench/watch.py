"""A stopwatch for wall-clock and CPU time; the latter says how long the work would take on an idle machine."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Lap:
    """Seconds since a watch was started."""

    wall: float
    cpu: float
    """CPU seconds of all threads of this process."""


class Watch:
    """Starts when created. On CUDA it synchronises with the device before it is read."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device
        self._settle()
        self.start = (time.perf_counter(), time.process_time())

    def read(self) -> Lap:
        """Time since the start."""
        self._settle()
        return Lap(time.perf_counter() - self.start[0], time.process_time() - self.start[1])

    def _settle(self) -> None:
        if self.device is not None and self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
