"""Pacing of a run: progress, limits and the replay ratio, as pure functions of its counts."""

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
    """positions played, held-out games included, since the run began"""
    ready: bool
    """whether the replay buffer holds enough to sample from"""


def progress(config: Config, now: Standing) -> float:
    """Training progress in [0, 1] that schedules follow: by time if it is limited, else by steps, else by the samples
    due for all positions."""
    train = config.train
    if train.horizon > 0:
        return min(1.0, now.steps / train.horizon)
    if train.minutes > 0:
        return min(1.0, now.elapsed / (60.0 * train.minutes))
    if train.steps > 0:
        return min(1.0, now.steps / train.steps)
    return min(1.0, now.drawn / (config.learner.replay_ratio * train.positions))


def played_out(config: Config, now: Standing) -> bool:
    """True once the run has collected `train.positions` positions; self-play then stops."""
    return 0 < config.train.positions <= now.added


def may_draw(config: Config, now: Standing) -> bool:
    """True if the replay ratio allows one more batch."""
    drawn = now.drawn + at(config.learner.batch, progress(config, now))
    return now.ready and drawn <= config.learner.replay_ratio * now.added


def flooded(config: Config, now: Standing) -> bool:
    """True if the actors are so far ahead that the replay ratio would drop: they must wait."""
    allowance = max(config.replay.min_positions, config.selfplay.warmup_positions)
    return now.added > now.drawn / config.learner.replay_ratio + 2 * allowance


def done(config: Config, now: Standing) -> bool:
    """True once a limit is reached; that of positions, when all their samples have been drawn."""
    train = config.train
    if 0 < train.steps <= now.steps or 0 < train.minutes <= now.elapsed / 60.0:
        return True
    return played_out(config, now) and not may_draw(config, now)


def seconds_left(config: Config, now: Standing) -> float:
    """Seconds to the first limit at the current pace; 0 if unknown yet."""
    train = config.train
    left = [60.0 * train.minutes - now.elapsed] if train.minutes > 0 else []
    if train.steps > 0 and now.steps > 0:
        left.append(now.elapsed * (train.steps - now.steps) / now.steps)
    if train.positions > 0 and now.drawn > 0:
        left.append(now.elapsed * (config.learner.replay_ratio * train.positions - now.drawn) / now.drawn)
    return max(0.0, min(left, default=0.0))
