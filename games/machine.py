"""CPU cores and memory available to this process (cgroups and affinity included), and whether they are busy.

A container shows the processors and memory of the whole machine but grants only a part of them: the limits of its
control groups (versions 1 and 2) are read here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

SYSTEM = Path("/")
"""The folder that holds `proc` and `sys`."""
WAITING = 10.0
"""A machine may be busy if, in the last ten seconds, some process waited for a core this percentage of the time."""


def cores() -> int:
    """Cores this process may use at once: by its affinity, and by the CPU time that its control groups grant."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([own, *(max(1, math.ceil(quota)) for quota in _quotas())])


def memory() -> int:
    """Bytes of memory this process may use: the machine's, or fewer if a control group limits it."""
    return min([_machine_memory(), *(limit for limit, _ in _limits())])


def free_memory() -> int:
    """Bytes of memory still available, reclaimable file caches included where the system reports them."""
    return max(0, min([_machine_free(), *(limit - used for limit, used in _limits())]))


def busy() -> str:
    """A message if more processes (of anyone) compete for the cores than there are; empty otherwise."""
    load, there = os.getloadavg()[0], os.cpu_count() or 1
    if load <= there or _waiting() < WAITING:
        return ""
    cores_there = "its only core" if there == 1 else f"its {there} cores"
    return f"the machine is busy: {load:.1f} processes compete for {cores_there}"


def _quotas() -> Iterator[float]:
    """Cores granted by each control group of this process that has a quota."""
    for folder in _groups("cpu"):
        older = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        words = _words(folder / "cpu.max") or older
        if len(words) == 2 and all(word.isdecimal() and int(word) > 0 for word in words):
            yield int(words[0]) / int(words[1])


def _limits() -> Iterator[tuple[int, int]]:
    """(bytes allowed, bytes in use) of each control group of this process that has a limit."""
    for folder in _groups("memory"):
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            allowed, taken = _words(folder / limit), _words(folder / used)
            if allowed and allowed[0].isdecimal():
                yield int(allowed[0]), max(0, int(taken[0]) - _cached(folder)) if taken else 0


def _cached(folder: Path) -> int:
    """Bytes in use by a group that the kernel would reclaim: inactive file cache."""
    words = _words(folder / "memory.stat")
    figures = dict(zip(words[::2], words[1::2], strict=False))
    return int(figures.get("total_inactive_file") or figures.get("inactive_file") or 0)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the control groups of this process and of their ancestors, for one controller.

    In a container the group's path may be the host's: then only the root exists, which is the container's own group.
    """
    top = SYSTEM / "sys/fs/cgroup"
    for line in _text(SYSTEM / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0":
            bases = [top, top / "unified"]
        elif controller in controllers.split(","):
            bases = [top / name for name in {controllers, controller}]
        else:
            continue
        inner = Path(group.lstrip("/"))
        yield from (base / part for base in bases for part in (inner, *inner.parents) if (base / part).is_dir())


def _waiting() -> float:
    """Percentage of the last ten seconds in which some process waited for a core; 100 if the system doesn't say."""
    for word in _words(SYSTEM / "proc/pressure/cpu"):
        if word.startswith("avg10="):
            return float(word.removeprefix("avg10="))
    return 100.0


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _machine_free() -> int:
    for line in _text(SYSTEM / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    """Content of a small kernel file; empty if it is missing or unreadable."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
