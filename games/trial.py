"""A trial of a user's own game: one second of random play before training on it.

Checks the clauses of `games.contract`, in two games and for a bounded time. Errors are refused; what only makes
training harder is reported as a warning.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator

import numpy as np

import games
from games.base import NO_PLAYER, GameBatch, GameError
from games.contract import OUT_OF_RANGE, SAME, RandomPlay, check_position, check_words, in_range
from games.families import family
from games.gym_game import is_gym
from games.rows import released

GAMES, SEED = 2, 0x7E57
STEPS = 400
"""Most lockstep moves."""
SECONDS = 1.0
"""Most seconds of play, checked after each move."""
AFTER = "found by random play before the run; docs/guides/own_game.md says what a game must return"
NO_REPEAT = ("two games with the same seed go differently: runs on it can't be reproduced, and a resumed run starts "
             "its unfinished games again")
WORDLESS = "it can be trained on, but nobody can play it until that is mended"


def try_game(
    name: str, steps: int = STEPS, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
) -> list[str]:
    """Play games of `name` at random, if they run code from outside this project and OpenSpiel; returns the warnings.

    Uses only its own random generators. Raises GameError naming the broken clause.
    """
    if family(name) not in ("own", "gym"):
        return []
    try:
        with _global_generators_kept():
            remarks = _played(name, steps, clock() + seconds, clock)
    except GameError as error:
        raise GameError(f"{error}\n  {AFTER}") from error
    return remarks


def _played(name: str, steps: int, end: float, clock: Callable[[], float]) -> list[str]:
    with released(games.make(name, GAMES, SEED)) as batch, released(games.make(name, GAMES, SEED)) as twin:
        return _compared(batch, twin, is_gym(name), steps, end, clock)


def _compared(
    batch: GameBatch, twin: GameBatch, any_numbers: bool, steps: int, end: float, clock: Callable[[], float]
) -> list[str]:
    """any_numbers: observations may have any magnitude, as Gymnasium's vectors are passed through symlog."""
    player, same, near, wordless = RandomPlay(batch, SEED), True, True, ""
    far = f"{OUT_OF_RANGE}, observation_high={batch.spec.observation_high}: networks learn poorly from such numbers"
    for _ in range(steps):
        check_position(batch)
        near = near and (any_numbers or in_range(batch))
        same = same and _agree(batch, twin)
        wordless = wordless or _wordless(batch)
        actions, rows = player.choose()
        player.step(actions, rows)
        if same:
            twin.step(actions, rows)
        finished = batch.to_play() == NO_PLAYER
        if finished.any():
            player.reset(finished)
            if same:
                twin.reset(finished)
        if clock() >= end:
            break
    found = {batch.spec.note: bool(batch.spec.note), NO_REPEAT: not same, far: not near, wordless: bool(wordless)}
    return [remark for remark, there in found.items() if there]


def _wordless(batch: GameBatch) -> str:
    """Why the position can't be shown to people; empty where it can."""
    try:
        check_words(batch)
    except GameError as error:
        return f"{error}; {WORDLESS}"
    return ""


def _agree(batch: GameBatch, twin: GameBatch) -> bool:
    return all(getattr(batch, what)().tobytes() == getattr(twin, what)().tobytes() for what in SAME)


@contextlib.contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Restores the global random generators, from which games may draw."""
    python, numpys = random.getstate(), np.random.get_state(legacy=False)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)
