"""The C library's allocator, set for a process that makes and drops the same large arrays again and again.

By default glibc hands every block above a few megabytes back to the kernel and asks for it anew, which costs a page
fault for each 4 KiB: a good part of a small network's time (README, "Performance").
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
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "gnu_get_libc_version"):
        return False
    settings = ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, LARGE), (M_TOP_PAD, PAD))
    return all(libc.mallopt(option, value) == 1 for option, value in settings)
