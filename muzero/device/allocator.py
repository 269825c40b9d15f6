"""Tuning of glibc's malloc for a process that allocates and frees the same large arrays again and again.

By default glibc returns every block above a few megabytes to the kernel and requests it again, which costs a page fault
for each 4 KiB: a good part of a small network's time (docs/lab/performance.md). Kept memory is returned after a match
or a checkpoint, so that the process doesn't grow with each of them.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3
LARGE = 1 << 30
PAD = 64 << 20


def keep_freed_blocks() -> bool:
    """Keep freed memory in the process for the next array. True if the C library accepts it (glibc on Linux)."""
    libc = glibc()
    if libc is None:
        return False
    settings = ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, LARGE), (M_TOP_PAD, PAD))
    return all(libc.mallopt(option, value) == 1 for option, value in settings)


def give_back_freed_blocks() -> bool:
    """Return free memory to the kernel, after rare work that needs a lot: otherwise its blocks stay unused until the
    next time, while others grow around them. True if there was any."""
    libc = glibc()
    return libc is not None and libc.malloc_trim(0) == 1


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None
