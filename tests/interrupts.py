"""Ctrl-C where a person would press it."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from muzero.players import SearchPlayer


def interrupting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on each move of an agent comes with Ctrl-C; the moves made so are in the list."""
    moves: list[int] = []
    act = SearchPlayer.act

    def interrupted(self: SearchPlayer, *args: Any) -> Any:
        moves.append(len(moves))
        signal.raise_signal(signal.SIGINT)
        return act(self, *args)

    monkeypatch.setattr(SearchPlayer, "act", interrupted)
    return moves
