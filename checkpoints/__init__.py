"""Trained agents that come with the package: one folder each, named after its game."""

from __future__ import annotations

import json
from pathlib import Path


def shipped() -> dict[str, Path]:
    """Agent folders by name, in alphabetical order. Runs of the user's own are not agents."""
    return {
        path.parent.name: path.parent
        for path in sorted(Path(__file__).parent.glob("*/manifest.json"))
        if not path.parent.name.startswith(".")
    }


def game_in(agent: Path) -> str:
    """The name of the game that an agent of the package plays, as commands take it: `atari/pong`, `hex(board_size=7)`.
    """
    return str(json.loads((agent / "config.json").read_text())["game"])
