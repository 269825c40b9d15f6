"""How far a run is, and what it may do next: pure functions of its counts."""

from __future__ import annotations

from dataclasses import dataclass

from muzero.config import Config, at


@dataclass(frozen=True)
class Standing:
    """The counts of a run at one moment."""

    steps: int
    """learning steps"""
    elapsed: float
    """seconds of training by the clock of the config"""
    drawn: int
    """samples"""
    added: int
    """positions in the replay since the run began"""
    ready: bool
    """the replay holds enough to draw from"""


def progress(config: Config, now: Standing) -> float:
    """Training progress in [0, 1] that schedules follow: of the time where it is limited, else of the steps, else of
    the samples that all positions are to give."""
    train = config.train
    if train.horizon > 0:
        return min(1.0, now.steps / train.horizon)
    if train.minutes > 0:
        return min(1.0, now.elapsed / (60.0 * train.minutes))
    if train.steps > 0:
        return min(1.0, now.steps / train.steps)
    return min(1.0, now.drawn / (config.learner.replay_ratio * train.positions))


def played_out(config: Config, now: Standing) -> bool:
    """True once as many positions are there as the run may have: no more are taken."""
    return 0 < config.train.positions <= now.added


def may_draw(config: Config, now: Standing) -> bool:
    """True if the replay ratio allows one more batch."""
    wanted = now.drawn + at(config.learner.batch, progress(config, now))
    return now.ready and wanted <= config.learner.replay_ratio * now.added


def flooded(config: Config, now: Standing) -> bool:
    """True if the actors are so far ahead that the replay ratio would fall: they must wait."""
    allowance = max(config.replay.min_positions, config.selfplay.warmup_positions)
    return now.added > now.drawn / config.learner.replay_ratio + 2 * allowance


def done(config: Config, now: Standing) -> bool:
    """True at the first of the limits; that of positions is reached when they have given all their samples."""
    train = config.train
    if 0 < train.steps <= now.steps or 0 < train.minutes <= now.elapsed / 60.0:
        return True
    return played_out(config, now) and not may_draw(config, now)


def seconds_left(config: Config, now: Standing) -> float:
    """Seconds to the first limit at the pace so far; 0 where nothing can be told yet."""
    train = config.train
    left = [60.0 * train.minutes - now.elapsed] if train.minutes > 0 else []
    if train.steps > 0 and now.steps > 0:
        left.append(now.elapsed * (train.steps - now.steps) / now.steps)
    if train.positions > 0 and now.drawn > 0:
        left.append(now.elapsed * (config.learner.replay_ratio * train.positions - now.drawn) / now.drawn)
    return max(0.0, min(left, default=0.0))
