"""Share of a game's actions that are legal at its start."""

from __future__ import annotations

import games
from games.rows import released


def legal_share(name: str) -> float:
    """From 0 to 1. Starts a game, which for your own one runs its code. Raises GameError."""
    with released(games.make(name, 1)) as batch:
        return float(batch.legal().mean())
