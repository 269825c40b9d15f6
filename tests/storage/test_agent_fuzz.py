"""A small round of `agent_fuzz`: changed agents are refused in words, or work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import agent_fuzz
import pytest
import torch

from muzero import agent as agents

torch.set_num_threads(1)


def test_changed_agents_are_refused_in_words_or_work() -> None:
    """In a process of its own: a crash would be seen."""
    command = [sys.executable, agent_fuzz.__file__, "--here", "--rounds", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    ends = json.loads(done.stdout)
    assert sum(ends.values()) == 60
    assert min(ends["works"], ends["Damaged"]) > 5


@pytest.mark.parametrize("index", range(len(agent_fuzz.BASES)))
def test_unchanged_they_work(tmp_path: Path, index: int) -> None:
    assert agent_fuzz.use(agent_fuzz.made(agent_fuzz.BASES[index], tmp_path / "sound")) == "works"


def test_a_round_that_goes_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: str) -> None:
        raise ZeroDivisionError(folder)

    monkeypatch.setattr(agents, "load", broken)
    with pytest.raises(AssertionError, match="round 7: ZeroDivisionError"):
        agent_fuzz.rounds(7, 1)
