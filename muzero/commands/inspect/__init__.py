"""`muzero inspect AGENT`: what an agent thinks of a position."""

from __future__ import annotations

from collections.abc import Sequence

from muzero.commands.inspect import position

__all__ = ["run"]


def run(argv: Sequence[str]) -> int:
    """Inspect one position."""
    return position.run(argv)
