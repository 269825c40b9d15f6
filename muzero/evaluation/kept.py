"""The measurement that a run keeps of its whole games, `RUN/evaluation.json`: when a new one takes its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muzero.storage.disk import Damaged, is_there, read_json
from muzero.view.terminal import counted

LIMIT = 64 << 20
"""Bytes of the largest measurement that is read."""
EVALUATION = "evaluation.json"
"""The last measurement of a run's whole games, in its folder: what a suite reads."""


def weighed(kept: Path, content: dict[str, Any]) -> tuple[bool, str]:
    """Whether a measurement takes the place of the one that a run keeps, and what to tell of that one, if anything.

    Fewer games of the same step don't: a quick look takes no long measurement's place. What is no measurement counts
    for nothing.
    """
    try:
        if not is_there(kept):
            return True, ""
        before = read_json(kept, limit=LIMIT)
        games = whole_games(before["returns"]["games"])
        if before["checkpoint"]["step"] != content["checkpoint"]["step"]:
            return True, ""
        if content["returns"]["games"] < games:
            return False, "stays as it is: it holds more games of the same step"
        search = searched(before["checkpoint"])
        same = search == searched(content["checkpoint"])
        return True, "" if same else f"held {counted(games, 'game')} with {search}: these take their place"
    except OSError as error:
        return False, f"stays as it is: it could not be read ({error.strerror})"
    except (Damaged, ValueError, LookupError, TypeError):
        return True, "holds no measurement and counts for nothing"


def searched(checkpoint: dict[str, Any]) -> str:
    """With what search a stored measurement was played. Raises LookupError or TypeError for what is none."""
    # Older versions played without noise.
    return f"{checkpoint['simulations']} simulations, noise {checkpoint.get('noise', 0.0):g}"


def whole_games(count: Any) -> int:
    """The number of games of a stored measurement. Raises ValueError for what is no whole number of at least 1."""
    if type(count) is not int or count < 1:
        raise ValueError(f"games: expected a whole number of at least 1, got {count!r:.40}")
    return count
