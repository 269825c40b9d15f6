"""A snapshot of a run's progress, for displays and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

RANDOM_PLAY, FIRST_GAMES = "random play first", "playing the first games"
"""`Progress.status` during the initial random play, and from the first searches to the first learning step."""
TRAINING, GOING_ON = "training", "going on"
"""While learning, and when a run resumes it."""
EVALUATING, LAST_EVALUATION = "evaluating", "a last evaluation"
"""During a match of the newest weights, and during that of the final agent."""
DONE, STOPPED = "done and saved", "stopped and saved"
"""In the last report of a session: at the limit, or after a stop request."""
ENDED = frozenset({DONE, STOPPED})
"""Statuses with nothing left to stop."""
RESTING = ENDED | {EVALUATING, LAST_EVALUATION}
"""Statuses in which the run neither learns nor collects games, so that there are no rates."""


@dataclass(frozen=True)
class Progress:
    """A run at one moment, for a display."""

    game: str
    run: str
    """the run's folder"""
    step: int
    steps_limit: int
    """0: no limit"""
    elapsed_s: float
    """seconds of training, including earlier sessions"""
    minutes_limit: float
    """0: no limit"""
    clock: str
    """the clock of elapsed_s and minutes_limit: wall or cpu"""
    progress: float
    """fraction of training done, in [0, 1]"""
    eta_s: float
    """seconds left"""
    games: int
    """finished"""
    positions: int
    """played"""
    games_per_s: float
    positions_per_s: float
    simulations_per_s: float
    steps_per_s: float
    replay_positions: int
    """currently in the replay buffer"""
    replay_capacity: int
    replay_ratio: float
    """samples per position played"""
    replay_ratio_wanted: float
    learner_wait: float
    """fraction of the learner's time spent waiting for positions, in [0, 1]"""
    losses: Mapping[str, float]
    checks: Mapping[str, float]
    evaluation: str
    """last result against a fixed opponent; empty before the first"""
    status: str
    """current activity: one of the statuses above"""
    data_wait: float = 0.0
    """fraction of the learner's time spent waiting for a batch to be sampled, in [0, 1]"""
    mean_return: float = math.nan
    """over the newest one-player self-play games, exploration included; NaN for two players"""
    positions_limit: int = 0
    """0: no limit"""
    warmup_positions: int = 0
    """to be played at random before the first search, while that lasts; 0: none, or done"""
    trust: str = ""
    """how far the model may be trusted, in words; empty before the first measurement on held-out games"""
    cut: int = 0
    """finished games that `selfplay.max_moves` truncated"""
    warnings: tuple[str, ...] = ()
    """problems that don't stop the run, in words"""
    reanalysed: float = 0.0
    """stored positions reanalysed per second"""
    reached: bool = False
    """whether the run has reached its limit"""
    unmeasured: bool = False
    """whether evaluations are on but the weights of this step haven't been evaluated yet"""
