"""The command line with one planner more, as if `muzero/config/kinds.py` held its entry and its settings."""

from __future__ import annotations

import importlib.util
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from selfplay.bounds import Between

KINDS = "muzero.config.kinds"


@dataclass(frozen=True)
class Sharpness:
    """Settings of the toy planner `sharp`."""

    power: Annotated[float, Between(0.0, 100.0)] = 2.0
    """Exponent of the network's policy."""
    depth: Annotated[int, Between(1, 8)] = 1
    """Nothing hangs on it."""


def enter() -> None:
    """Load the table before the rest of the program, and enter the planner. Once in a process."""
    folder = Path(__file__).parents[1] / "muzero/config"
    spec = importlib.util.spec_from_file_location(KINDS, folder / "kinds.py")
    assert spec is not None
    assert spec.loader is not None
    kinds = sys.modules[KINDS] = importlib.util.module_from_spec(spec)
    # What the table imports from its own package must not load the package, which reads the table.
    package = sys.modules["muzero.config"] = types.ModuleType("muzero.config")
    package.__path__ = [str(folder)]
    spec.loader.exec_module(kinds)
    del sys.modules["muzero.config"]
    kinds.PLANNERS["sharp"] = kinds.PlannerKind("toys_sharp", settings=Sharpness)
    kinds.Algorithm = Literal[tuple(kinds.PLANNERS)]


def main() -> int:
    enter()
    from muzero.cli import main as muzero

    return muzero(sys.argv[1:])
