"""Agent folders: small checkpoints with only the weights for play, and a model card.

    <agent>/   manifest.json config.json card.json weights.safetensors README.md
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muzero.config import Config, to_json
from muzero.storage import checkpoint, disk, manifest, runs
from muzero.storage.disk import TEMPORARY, disk_errors

if TYPE_CHECKING:
    from muzero.storage.tensors import Array

__all__ = ["export", "snapshot", "write"]


def export(folder: Path, target: Path, card: Mapping[str, Any], *, weights: str = "weights") -> Path:
    """Write an agent folder from a checkpoint: config, weights and a model card.

    weights: the checkpoint's tensor file to play with. Replaces an agent at `target`; raises Foreign for anything else
    there. Raises what `load` and `save` raise.
    """
    source = checkpoint.load(folder, [weights])
    return write(target, source.step, source.tensors[weights], source.config, card)


def write(
    target: Path, step: int, weights: Mapping[str, Array], config: Config, card: Mapping[str, Any]
) -> Path:
    """Write an agent folder atomically, like `export`: weights by tensor name after `step` learning steps.

    Raises what `save` raises, and Foreign.
    """
    temporary, replaced = (target.parent / f"{TEMPORARY}{kind}-{target.name}" for kind in ("new", "old"))
    with checkpoint.reading(target):
        if not disk.is_there(target) and disk.is_folder(replaced):
            replaced.rename(target)  # the process was killed between the two renames below
        if disk.is_there(target) and not (disk.is_folder(target) and not any(target.iterdir())):
            manifest.read(target)
    texts = {"config.json": to_json(config), "card.json": card}
    content = checkpoint.encode({"weights": weights}, texts)
    with disk_errors(f"the agent could not be written to {target}"):
        disk.make_folder(target.parent)
        for leftover in (temporary, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            manifest.write(temporary, content, step)
            disk.write_file(temporary / "README.md", [_readme(config.game, step, card).encode()])
            if disk.is_there(target):
                target.rename(replaced)
            temporary.rename(target)
            disk.sync_folder(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    return target


def snapshot(
    run: Path, step: int, weights: Mapping[str, Array], config: Config, card: Mapping[str, Any]
) -> Path:
    """Write a snapshot of the agent into the folder of a locked run, unless it exists; returns its path.

    Raises what `write` raises.
    """
    target = run / runs.SNAPSHOTS / f"step-{step:08d}"
    with disk_errors(f"leftovers of a killed process in {target.parent} could not be deleted"):
        runs.remove_leftovers(target.parent)
        kept = disk.is_there(target)
    return target if kept else write(target, step, weights, config, card)


def _readme(game: str, step: int, card: Mapping[str, Any]) -> str:
    play = f"muzero play {shlex.quote(game)}"
    opening = f"A MuZero agent after {step:,} learning steps. Play it: `{play}`."
    lines = [f"# {game}", "", opening, "", "| | |", "|---|---|"]
    for key, value in card.items():
        text = value if isinstance(value, str) else json.dumps(value)
        cell = text.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {key.replace('_', ' ')} | {cell} |")
    return "\n".join(lines) + "\n"
