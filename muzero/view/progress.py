"""A run at one moment, for displays and reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

RANDOM_PLAY, FIRST_GAMES = "random play first", "playing the first games"
"""`Progress.status` while nothing is searched yet, and while searched games come but nothing is learned."""
TRAINING, GOING_ON = "training", "going on"
"""While steps are learned, and as a run takes that up again."""
EVALUATING, LAST_EVALUATION = "evaluating", "a last evaluation"
"""During a match of the newest weights, and during that of the agent a run ends with."""
DONE, STOPPED = "done and saved", "stopped and saved"
"""In the last report of a sitting: at the limit, or where somebody asked the run to stop."""
ENDED = frozenset({DONE, STOPPED})
"""There is nothing left to stop."""
RESTING = ENDED | {EVALUATING, LAST_EVALUATION}
"""Nothing is learned or taken in from self-play: there is no rate to tell."""


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
    """seconds of training, earlier sittings included"""
    minutes_limit: float
    """0: no limit"""
    clock: str
    """what elapsed_s and minutes_limit are of: wall or cpu"""
    progress: float
    """share of the training done, in [0, 1]"""
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
    """held now"""
    replay_capacity: int
    replay_ratio: float
    """samples drawn for each position played"""
    replay_ratio_wanted: float
    learner_wait: float
    """share of the learner's time spent waiting for positions, in [0, 1]"""
    losses: Mapping[str, float]
    checks: Mapping[str, float]
    evaluation: str
    """last result against a fixed opponent; empty before the first"""
    status: str
    """what goes on: one of the words above"""
    data_wait: float = 0.0
    """share of the learner's time spent waiting for a batch of positions that are there, in [0, 1]"""
    mean_return: float = math.nan
    """of the newest self-play games of one player, exploration included; NaN for two players"""
    positions_limit: int = 0
    """0: no limit"""
    warmup_positions: int = 0
    """to be played at random before anything is searched, while that goes on; 0: none, or over"""
    cut: int = 0
    """finished games that `selfplay.max_moves` cut before their end"""
    warnings: tuple[str, ...] = ()
    """what goes wrong without stopping the run, in words"""
    reanalysed: float = 0.0
    """stored positions searched again, a second"""
    reached: bool = False
    """the run is at its limit"""
    unmeasured: bool = False
    """the run evaluates now and then, but the weights of this step were not evaluated yet"""
