"""The state of a run: learner, replay buffer, source of games, counts and progress."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

import games
from games.symmetry import symmetries
from muzero.config import Config, at
from muzero.device.select import device_of
from muzero.learning.learner import Learner
from muzero.model.auxiliary import later_obs
from muzero.model.build import build_model
from muzero.replay.buffer import Replay
from muzero.replay.held_out import HeldOut
from muzero.replay.prefetch import Batches
from muzero.replay.sampling import DrawConfig
from muzero.training import pace
from muzero.training.clock import TrainingClock
from muzero.training.pace import Standing
from muzero.training.reanalyse import Reanalyser
from muzero.training.source import SourceOf
from muzero.view.progress import FIRST_GAMES, RANDOM_PLAY, TRAINING
from selfplay.trajectory import Trajectory


class RunState:
    """The components and counts of one run. The loop changes them, checkpoints store them, reports read them."""

    def __init__(self, config: Config, source_of: SourceOf, start: int = 0) -> None:
        """source_of: makes the source of games; start: learning step of the checkpoint that it resumes from."""
        self.config = config
        torch.set_num_threads(config.train.threads)
        torch.manual_seed(config.train.seed)
        self.rng = np.random.default_rng([config.train.seed, 0x7EA])
        self.learner = Learner(build_model(config).to(device_of(config.train.device)), config.learner)
        self.replay = Replay(games.spec(config.game), config.replay, symmetries(config.game))
        drawing = DrawConfig.of(config.learner, config.unroll, later_obs(config.learner, config.unroll))
        self.held_out = (
            HeldOut(self.replay.spec, config, self.replay.symmetries) if config.held_out.fraction > 0 else None)
        self.batches = Batches(self.replay, drawing, self.rng)
        self.reanalyser = Reanalyser(config) if config.learner.reanalyse_fraction > 0 else None
        self.clock = TrainingClock(config.train.clock)
        self.drawn = 0
        """Samples drawn, including the batch in progress"""
        self.games = self.cut = 0
        """Finished games, and how many of them `selfplay.max_moves` truncated"""
        self.anew = 0
        """Unfinished games that had to start again when the run resumed"""
        self.evaluation = ""
        """The newest evaluation, in words"""
        self.trust = ""
        """How far the model may be trusted by the newest measurement on held-out games, in words"""
        self.evaluated = 0
        """Learning step of the newest evaluation"""
        # Last, so that an earlier failure leaves no process behind.
        self.source = source_of(config, start)

    def keep(self, played: list[Trajectory]) -> None:
        """Put games into the replay buffer, except those that are held out."""
        for game in played if self.held_out is None else self.held_out.take(played):
            self.replay.add(game)

    @property
    def played(self) -> int:
        """Positions of the games that came in, held-out ones included."""
        return self.replay.added + (0 if self.held_out is None else self.held_out.replay.added)

    @property
    def ready(self) -> bool:
        """True once there is enough to sample from."""
        return self.played >= self.config.replay.min_positions and self.replay.window > 0

    @property
    def now(self) -> Standing:
        return Standing(self.learner.steps, self.clock.elapsed, self.drawn, self.played, self.ready)

    @property
    def progress(self) -> float:
        """Training progress in [0, 1] that schedules follow."""
        return pace.progress(self.config, self.now)

    @property
    def learned_from(self) -> int:
        """Samples learned from, without the batch in progress."""
        return self.drawn - self.batches.begun

    @property
    def done(self) -> bool:
        return pace.done(self.config, dataclasses.replace(self.now, drawn=self.learned_from))

    @property
    def may_draw(self) -> bool:
        """True if the replay ratio allows one more batch."""
        return pace.may_draw(self.config, self.now)

    def next_size(self) -> int:
        """Size of the next batch, which counts as drawn from now on."""
        size = int(at(self.config.learner.batch, self.progress))
        self.drawn += size
        return size

    @property
    def unmeasured(self) -> bool:
        """True if evaluations are on and the newest weights haven't been evaluated yet."""
        return self.config.train.evaluate_minutes > 0 and self.learner.steps > self.evaluated

    @property
    def warming_up(self) -> bool:
        """True during the initial random play."""
        return self.played < self.config.selfplay.warmup_positions

    @property
    def phase(self) -> str:
        """Current activity, in words."""
        if self.warming_up:
            return RANDOM_PLAY
        return TRAINING if self.learner.steps else FIRST_GAMES
