"""Memory is kept for the next array while a run learns, and given back after what comes seldom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import tiny

from muzero.device.allocator import glibc
from muzero.training import loop
from muzero.training.saving import RunFolder

ROOT = Path(__file__).parents[2]
SCRIPT = """
from pathlib import Path
import numpy as np
from muzero.device.allocator import give_back_freed_blocks, keep_freed_blocks


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20


assert keep_freed_blocks()
before = resident()
blocks = [np.ones(1 << 20) for _ in range(30)]
del blocks
kept = resident() - before
assert give_back_freed_blocks()
print(kept, resident() - before)
"""


@pytest.mark.skipif(glibc() is None, reason="needs glibc")
def test_freed_blocks_are_kept_and_given_back() -> None:
    """240 MB in blocks that by default would go back at once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    kept, left = map(int, done.stdout.split())
    assert kept > 200
    assert left < 40


def test_a_run_gives_back_what_matches_and_checkpoints_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def note(what: str) -> None:
        done.append(what)

    for kind, name in ((loop.Run, "evaluate"), (RunFolder, "save")):
        monkeypatch.setattr(kind, name, lambda *_, name=name: note(name))
    monkeypatch.setattr(loop, "give_back_freed_blocks", lambda: note("back"))
    often = tiny(train__evaluate_minutes=1e-9, train__checkpoint_seconds=0.0, train__steps=2)
    loop.run(often, tmp_path)
    assert done[:4] == ["evaluate", "back", "save", "back"]
