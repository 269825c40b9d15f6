"""The floors of the house as import-linter reads them."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def layers() -> str:
    """One floor a line, the highest first."""
    project = tomllib.loads(PROJECT.read_text())
    for contract in project["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers":
            return "\n".join(contract["layers"])
    raise ValueError("pyproject.toml: expected an import-linter contract of type layers, got none")
