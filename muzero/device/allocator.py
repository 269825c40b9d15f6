"""Tuning of glibc's malloc for a process that allocates and frees the same large arrays again and again.

By default glibc hands every block above a few megabytes back to the kernel and asks for it anew, which costs a page
fault for each 4 KiB: a good part of a small network's time (docs/lab/performance.md). What is kept is given back after
a match or a checkpoint, so that a process doesn't grow with each of them.
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
    """Keep freed memory in the process for the next array. True if the C library took the setting (glibc on Linux)."""
    libc = glibc()
    if libc is None:
        return False
    settings = ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, LARGE), (M_TOP_PAD, PAD))
    return all(libc.mallopt(option, value) == 1 for option, value in settings)


def give_back_freed_blocks() -> bool:
    """Give the kernel what is free now, after work that comes seldom and needs much: its blocks are kept for nothing
    until it comes again, and meanwhile others grow around them. True if there was any."""
    libc = glibc()
    return libc is not None and libc.malloc_trim(0) == 1


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None
