"""Result files: JSON written atomically, and the evaluation stored with a run."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from games.extras import installing
from muzero.evaluation.kept import EVALUATION, weighed
from muzero.storage import disk, runs
from muzero.view.console import USAGE, CommandError, log

PICTURES = (".svg", ".png", ".pdf")
"""File extensions of pictures of results."""


def keep(agent: str, measured: dict[str, Any]) -> None:
    """Store an evaluation by episodes in the folder of its run, if it has one and the evaluation should replace the
    stored one."""
    folder = disk.named(agent)
    if runs.newest(folder) is None:
        return
    kept = folder / EVALUATION
    counts, why = weighed(kept, measured)
    if why:
        log(f"{kept} {why}")
    if counts:
        write_json(kept, measured, "the run can't keep its evaluation, ")


def check_target(target: Path | None, option: str = "--json") -> None:
    """Refuse a file for results that can't be written, before anything is measured. Raises CommandError (usage)."""
    if target is None:
        return
    try:
        free = not disk.is_folder(target) and os.access(target.absolute().parent, os.W_OK)
    except OSError as error:
        raise CommandError(f"{option} {target}: can't be written there ({error.strerror})", USAGE) from error
    if not free:
        raise CommandError(f"{option} {target}: can't be written there", USAGE)


def check_plot(path: Path | None) -> None:
    """Refuse a picture that can't be drawn, before anything is measured. Raises CommandError (usage)."""
    if path is None:
        return
    if path.suffix.lower() not in PICTURES:
        raise CommandError(f"--plot {path}: expected a name that ends in {', '.join(PICTURES)}", USAGE)
    check_target(path, "--plot")
    try:
        import matplotlib
    except ImportError as error:
        raise CommandError(f"--plot: a picture needs matplotlib, which isn't installed: {installing('plots')}",
                           USAGE) from error
    del matplotlib


def write_json(path: Path, values: dict[str, Any], failed: str = "--json ") -> None:
    """Write results atomically. Raises CommandError, beginning with `failed`, if they can't be written."""
    write(path, (json.dumps(_strict(values), indent=2) + "\n").encode(), failed)


def write(path: Path, data: bytes, failed: str) -> None:
    """Write a file atomically. Raises CommandError, beginning with `failed`, if it can't be written."""
    try:
        # A device or a link is written to, not replaced.
        if disk.is_there(path) and not disk.is_file(path, follow=False):
            path.write_bytes(data)
        else:
            disk.replace_file(path, data)
    except OSError as error:
        raise CommandError(f"{failed}{path}: {error.strerror}") from error
    log(f"wrote {path}")


def _strict(value: Any) -> Any:
    """The same value with null for NaN and infinity, which JSON doesn't have."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
