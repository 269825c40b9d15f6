"""Provenance of figures: command, commit, versions, machine."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from games.machine import cores, memory

PACKAGES = ("muzero-engine", "torch", "numpy", "open_spiel", "ale-py")
FROM_SOURCE = "source"
"""Version of this package when it runs without being installed."""
GIT_SECONDS = 5.0


def provenance(command: Sequence[str]) -> dict[str, Any]:
    """Command, time, commit, versions and hardware as JSON values."""
    return {
        "command": ["muzero", *command],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of each relevant package; `missing` if not installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = FROM_SOURCE if name == PACKAGES[0] else "missing"
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores and memory available to this process, GPU."""
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gib": round(memory() / 2**30, 1),
        "gpu": gpu,
    }


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    """The source's git commit, with `+changes` if files differ from it; empty for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+changes" if head and _git(root, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=GIT_SECONDS, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
