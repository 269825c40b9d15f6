"""Optional packages: the command that installs them, for messages about what is missing."""

from __future__ import annotations


def installing(*extras: str) -> str:
    """The command that installs these extras of `pyproject.toml`. The engine is installed from its checkout: no
    package index has it."""
    return f"pip install '.[{','.join(extras)}]' in the engine's checkout"
