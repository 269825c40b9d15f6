"""`muzero inspect AGENT`: what an agent thinks of a position, or how far its model may be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from muzero.commands.inspect import model, position

__all__ = ["run"]


def run(argv: Sequence[str]) -> int:
    """Inspect the model, or else one position."""
    return model.run(argv) if model.FLAG in argv else position.run(argv)
