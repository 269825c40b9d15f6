"""The stored evaluation of a run, `RUN/evaluation.json`: when a new one replaces it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muzero.storage.disk import Damaged, is_there, read_json
from muzero.view.terminal import counted

LIMIT = 64 << 20
"""Bytes of the largest file that is read."""
EVALUATION = "evaluation.json"
"""File in a run's folder with its last evaluation by episodes, which a suite reads."""


def weighed(kept: Path, content: dict[str, Any]) -> tuple[bool, str]:
    """Whether a new evaluation replaces the stored one, and a message about the stored one, if any.

    Fewer games at the same step don't: a quick check must not replace a long evaluation. An invalid file is always
    replaced. Atari games cut off before the protocol's limit, which have no human-normalised score, are never stored.
    """
    if content.get("human_normalised", 0.0) is None:
        return False, "isn't written: games were cut off before the protocol's limit"
    try:
        if not is_there(kept):
            return True, ""
        before = read_json(kept, limit=LIMIT)
        games = whole_games(before["returns"]["games"])
        if before["checkpoint"]["step"] != content["checkpoint"]["step"]:
            return True, ""
        if content["returns"]["games"] < games:
            return False, "stays as it is: it has more games of the same step"
        search = searched(before["checkpoint"])
        same = search == searched(content["checkpoint"])
        return True, "" if same else f"had {counted(games, 'game')} with {search}, replaced by these"
    except OSError as error:
        return False, f"stays as it is: it could not be read ({error.strerror})"
    except (Damaged, ValueError, LookupError, TypeError):
        return True, "held no evaluation and was replaced"


def searched(checkpoint: dict[str, Any]) -> str:
    """The search settings of a stored evaluation, in words. Raises LookupError or TypeError for an invalid one."""
    # Older versions played without noise.
    return f"{checkpoint['simulations']} simulations, noise {checkpoint.get('noise', 0.0):g}"


def whole_games(count: Any) -> int:
    """The number of games of a stored evaluation. Raises ValueError unless it is a whole number of at least 1."""
    if type(count) is not int or count < 1:
        raise ValueError(f"games: expected a whole number of at least 1, got {count!r:.40}")
    return count
