"""How far a run is: which limit ends it, and what schedules follow."""

from __future__ import annotations

from typing import Any

import pytest

from muzero.config import Config, ConfigError, LearnerConfig, ReplayConfig, TrainConfig
from muzero.training import pace
from muzero.training.pace import Standing


def config(**train: Any) -> Config:
    return Config(learner=LearnerConfig(batch=((0.0, 10.0),), replay_ratio=2.0),
                  replay=ReplayConfig(capacity=1_000, min_positions=50),
                  train=TrainConfig(**{"steps": 0, **train}))


def now(steps: int = 0, elapsed: float = 0.0, drawn: int = 0, added: int = 0) -> Standing:
    return Standing(steps, elapsed, drawn, added, ready=added >= 50)


def test_schedules_follow_the_horizon_then_time_then_steps_then_samples() -> None:
    standing = now(steps=30, elapsed=60.0, drawn=400, added=500)
    assert pace.progress(config(steps=100, minutes=4.0, positions=1_000, horizon=60), standing) == 0.5
    assert pace.progress(config(steps=100, minutes=4.0, positions=1_000), standing) == 0.25
    assert pace.progress(config(steps=100, positions=1_000), standing) == 0.3
    assert pace.progress(config(positions=1_000), standing) == 0.2
    assert pace.progress(config(steps=10), standing) == 1.0


def test_the_first_limit_ends_a_run() -> None:
    both = config(steps=100, minutes=4.0)
    assert not pace.done(both, now(steps=99, elapsed=239.0))
    assert pace.done(both, now(steps=100))
    assert pace.done(both, now(elapsed=240.0))


def test_positions_are_drawn_in_full_before_their_limit_ends_a_run() -> None:
    limited = config(positions=100)
    assert not pace.played_out(limited, now(added=99))
    assert pace.played_out(limited, now(added=103))
    assert not pace.done(limited, now(added=99, drawn=198))
    assert not pace.done(limited, now(added=103, drawn=196))
    assert pace.done(limited, now(added=103, drawn=197))


def test_the_replay_ratio_holds_both_back() -> None:
    fine = config(steps=100)
    assert not pace.may_draw(fine, now(added=49, drawn=0))
    assert pace.may_draw(fine, now(added=50, drawn=90))
    assert not pace.may_draw(fine, now(added=50, drawn=91))
    assert not pace.flooded(fine, now(added=150, drawn=100))
    assert pace.flooded(fine, now(added=151, drawn=100))


def test_time_left_is_that_of_the_first_limit() -> None:
    assert pace.seconds_left(config(steps=100), now()) == 0.0
    assert pace.seconds_left(config(steps=100), now(steps=25, elapsed=10.0)) == 30.0
    assert pace.seconds_left(config(steps=100, minutes=0.5), now(steps=25, elapsed=10.0)) == 20.0
    assert pace.seconds_left(config(positions=100), now(drawn=50, elapsed=10.0)) == 30.0


def test_some_limit_is_wanted() -> None:
    with pytest.raises(ConfigError, match="expected a limit"):
        config()
