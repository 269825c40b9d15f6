"""Lock-free shared memory for the learner's newest weights: one writer, many readers.

A process stopped or killed in the middle of a copy doesn't block others. A copy made while the writer was active has a
wrong checksum and is discarded. The memory is anonymous, so nothing of it remains however the processes end.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import weakref
import zlib
from collections.abc import Callable
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from muzero.model.learned import LearnedModel

_HEAD = np.dtype([("version", np.int64), ("progress", np.float64), ("checksum", np.int64)])


class Mailbox:
    """`size` float32 weights and their training progress.

    It can only be passed to a process that is being started. Raises OSError if there isn't enough memory.
    """

    def __init__(self, size: int, file: int | None = None) -> None:
        """file: descriptor of another mailbox's memory, which this one will close."""
        self._size, self._file = size, nameless(_HEAD.itemsize + 4 * size) if file is None else file
        weakref.finalize(self, os.close, self._file)
        memory = mmap.mmap(self._file, _HEAD.itemsize + 4 * size)
        self._head = np.frombuffer(memory, _HEAD, 1)[0]
        self._weights = np.frombuffer(memory, np.float32, size, _HEAD.itemsize)
        self.progress = 0.0
        """Training progress of the weights that this process loaded last."""

    def __reduce__(self) -> tuple[Callable[[int, Any], Mailbox], tuple[int, Any]]:
        return _opened, (self._size, DupFd(self._file))

    def put(self, model: LearnedModel, progress: float) -> None:
        """Publish these weights to the actors."""
        flat = torch.cat([value.detach().float().reshape(-1).cpu() for value in model.state_dict().values()]).numpy()
        version = int(self._head["version"]) + 1
        self._weights[:] = flat
        self._head["progress"] = progress
        self._head["checksum"] = _checksum(version, progress, flat)
        self._head["version"] = version  # last: readers check it first

    def take(self, model: LearnedModel, known: int) -> int:
        """Load weights newer than version `known` into `model`; returns the version it then has, which is the old one
        if there are none, or if they are just being written."""
        version, progress = int(self._head["version"]), float(self._head["progress"])
        if version == known:
            return known
        flat = self._weights.copy()
        if self._head["checksum"] != _checksum(version, progress, flat):
            return known
        start = 0
        for value in model.state_dict().values():
            value.copy_(torch.from_numpy(flat[start : start + value.numel()]).view_as(value))
            start += value.numel()
        self.progress = progress
        return version


def _checksum(version: int, progress: float, flat: NDArray[np.float32]) -> int:
    return zlib.crc32(flat.data, zlib.crc32(struct.pack("=qd", version, progress)))


def _opened(size: int, handle: Any) -> Mailbox:
    return Mailbox(size, handle.detach())


def nameless(size: int) -> int:
    """Descriptor of an anonymous file of `size` zeros. Raises OSError if there is no room for it."""
    # In memory if the system supports it: on a disk every change of the weights would be written out.
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("weights")
    else:
        with tempfile.TemporaryFile() as unnamed:
            number = os.dup(unnamed.fileno())
    # Write the zeros instead of just extending the file: touching pages that turn out missing kills the process.
    with os.fdopen(number, "wb", closefd=False) as file:
        file.write(bytes(size))
    return number
