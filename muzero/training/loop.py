"""The training loop: collects games, samples batches, learns, publishes weights, and periodically reports and saves.

One loop serves every source of games. A repeatable source plays a move whenever the learner may not sample yet: same
seed, same bytes. With any other source, games arrive meanwhile, and the next batch is sampled while the learner works
on the current one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import games
from games.base import GameError
from muzero.config import Config, check_continues, check_outcomes, check_planner, check_resolved
from muzero.device.allocator import give_back_freed_blocks, keep_freed_blocks
from muzero.device.graphs import Sent
from muzero.device.select import device_of
from muzero.errors import INTERRUPTED
from muzero.model.protocol import SearchError
from muzero.replay.batch import Batch
from muzero.replay.sampling import draw
from muzero.storage import checkpoint, runs
from muzero.storage.metrics import Metrics
from muzero.training import deliveries, pace, sources
from muzero.training.clock import Alarm
from muzero.training.interrupt import Interrupt
from muzero.training.progress import Reporter
from muzero.training.rating import opponent_of, play_newest
from muzero.training.saving import RunFolder
from muzero.training.source import ActorError, SourceOf
from muzero.training.state import RunState
from muzero.training.validating import SHARE, validate_newest
from muzero.training.watched import MatchLeftError
from muzero.view.progress import DONE, EVALUATING, GOING_ON, LAST_EVALUATION, STOPPED, TRAINING, Progress
from selfplay.trajectory_check import TrajectoryCheck

PICTURES = 2_048
"""Positions from which the pixel statistics of a game are measured."""

Report = Callable[[Progress], None]


class Run:
    """One training run in its folder. Use `run` below to start it."""

    def __init__(self, config: Config, out: Path, start: int = 0, source_of: SourceOf = sources.source_of) -> None:
        """start: learning step of the checkpoint that `resume` will load."""
        metrics, self.opponent = Metrics(out), opponent_of(config)
        self.state = RunState(config, source_of, start)
        self.check = TrajectoryCheck(self.state.replay.spec)
        self.folder = RunFolder(out, self.state, metrics)
        self.reporter = Reporter(self.state, out)
        self.errors: tuple[NDArray[np.int64], Sent] | None = None
        """Places and value errors of the newest step, while they are being copied from the device"""

    def go(self, report: Report, interrupt: Interrupt) -> int:
        """Train up to the limit, or until `interrupt` asks to stop; returns the exit code."""
        self.state.clock.start()
        train = self.state.config.train
        log, save = Alarm(train.log_seconds), Alarm(train.checkpoint_seconds)
        evaluate = Alarm(60.0 * train.evaluate_minutes if train.evaluate_minutes > 0 else math.inf)
        held_out = self.state.config.held_out
        validate = Alarm(held_out.seconds if held_out.fraction > 0 else math.inf)
        report(self.reporter.progress(GOING_ON if self.state.phase == TRAINING else self.state.phase))
        while not self.state.done and not interrupt.asked:
            self.advance()
            self.folder.leave_snapshot()
            if log.due:
                log.set()
                self.log(report)
            if validate.due:
                validate.set(self.validate() / SHARE)
            if evaluate.due:
                with contextlib.suppress(MatchLeftError):
                    self.evaluate(report, interrupt)
                give_back_freed_blocks()
                evaluate.set()
            if save.due:
                # A match may have taken the clock past a snapshot, which a resumed run wouldn't make up for.
                self.folder.leave_snapshot()
                self.folder.save()
                give_back_freed_blocks()
                save.set()
        self.state.clock.stop()
        return self.end(report, interrupt)

    def end(self, report: Report, interrupt: Interrupt) -> int:
        """Save, and evaluate the final agent; returns the exit code."""
        if not interrupt.asked:
            self.validate()
        self.log(lambda _: None)
        self.folder.leave_snapshot()
        self.folder.save()
        self.evaluate_last(report, interrupt)
        report(self.reporter.progress(STOPPED if interrupt.asked else DONE))
        return INTERRUPTED if interrupt.asked else 0

    def resume(self, folder: Path) -> None:
        """Resume from a checkpoint of this run. Raises Damaged, like `RunFolder.resume`."""
        plays_on = self.folder.resume(folder)
        if self.state.learner.steps > 0 and not plays_on:
            self.publish()

    # --- one round ------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Collect the games that have arrived, then learn one step if the replay ratio allows it, or else wait for

        games. No sampling is in progress while games are added, positions reanalysed or priorities set.
        """
        state = self.state
        batch = state.batches.take()
        ready = batch is not None or state.may_draw
        if not pace.played_out(state.config, state.now) and not (ready and pace.flooded(state.config, state.now)):
            self.take_games(wait=not ready)
        if not ready:
            return
        self.prepare()
        if batch is None:
            batch = state.batches.draw(state.next_size())
        if not state.source.repeatable and state.may_draw:
            state.batches.begin(state.next_size())
        self.learn(batch)

    def take_games(self, wait: bool) -> None:
        """Put finished games into the replay buffer; with `wait`, play some or wait for them.

        Raises ActorError for games with impossible values, before any of them is stored.
        """
        before = time.monotonic()
        for delivery in deliveries.collect(self.state.source, wait, self.check):
            self.state.keep(delivery.games)
            self.state.games += len(delivery.returns)
            self.state.cut += int(delivery.cut)
            self.reporter.played(delivery)
        if wait:
            self.reporter.rates.waited += time.monotonic() - before

    def prepare(self) -> None:
        """Do what is due before a learning step: measure pixel statistics, publish new weights, reanalyse stored
        positions."""
        state = self.state
        if state.learner.steps == 0 and state.learner.normalises:
            self.fit_normaliser()
        if state.learner.steps % state.config.train.publish_steps == 0:
            self.publish()
        if state.reanalyser is not None:
            self.reporter.rates.reanalysed += state.reanalyser.pay(state.replay, state.rng)

    def fit_normaliser(self) -> None:
        """Fit the input normaliser to sampled positions."""
        alone = dataclasses.replace(self.state.batches.config, unroll=0, later_obs=0)
        self.state.learner.fit_normaliser(draw(self.state.replay, PICTURES, alone, self.state.rng).obs)

    def publish(self) -> None:
        """Send new weights to the source of games (from the first learning step on, after the warm-up).

        Raises LearningError for weights that can't be played with.
        """
        state = self.state
        state.learner.check_finite()
        if state.reanalyser is not None:
            state.reanalyser.load(state.learner.averaged.state_dict())
        if not state.warming_up:
            state.source.publish(state.learner.averaged, state.progress)

    def learn(self, batch: Batch) -> None:
        """One learning step, and the resulting priorities."""
        state = self.state
        step = state.learner.step(batch, state.progress)
        self.reporter.learned(batch, step)
        if state.reanalyser is not None:
            state.reanalyser.owe(len(batch.index))
        if state.config.replay.prioritized:
            self.set_priorities(batch.index, Sent(step.losses.value_error.float()))

    def set_priorities(self, index: NDArray[np.int64], errors: Sent) -> None:
        """Set the value errors of a learning step as priorities of the positions at `index`; on a GPU one step later.
        """
        state = self.state
        # On a GPU the step has only been launched: its errors are read once the next one is. A repeatable run waits
        # for them, so that a checkpoint holds everything that this step changed.
        at_once = not state.learner.update.deferred or state.source.repeatable
        newest = index, errors
        due, self.errors = (newest, None) if at_once else (self.errors, newest)
        if due is not None:
            state.batches.rest()
            state.replay.set_priorities(due[0], due[1].read().numpy())

    # --- now and then ---------------------------------------------------------------------------------------------

    def log(self, report: Report) -> None:
        """Report progress, and store the figures."""
        progress = self.reporter.progress(self.state.phase)
        self.folder.measure(self.reporter.metrics(progress))
        report(progress)
        self.reporter.restart()

    def validate(self) -> float:
        """Measure the newest model on held-out games, for display and metrics; returns the seconds it took."""
        before = time.monotonic()
        self.state.trust, values = validate_newest(self.state)
        taken = time.monotonic() - before
        if values:
            self.folder.measure({**values, "held_out/seconds": taken})
            give_back_freed_blocks()
        return taken

    def evaluate(self, report: Report, interrupt: Interrupt, status: str = EVALUATING) -> None:
        """Play a short match with the newest weights, for display and metrics.

        `report` is called periodically with its progress, under `status`. Raises MatchLeftError.
        """
        def tell(far: str) -> None:
            report(dataclasses.replace(self.reporter.progress(status), evaluation=far))

        self.state.evaluation, values = play_newest(self.state, self.opponent, interrupt, tell)
        self.state.evaluated = self.state.learner.steps
        self.folder.measure(values)

    def evaluate_last(self, report: Report, interrupt: Interrupt) -> None:
        """Evaluate the final agent of a run with periodic evaluations."""
        if not self.state.unmeasured or interrupt.asked:
            return
        report(self.reporter.progress(LAST_EVALUATION))
        with contextlib.suppress(MatchLeftError):
            self.evaluate(report, interrupt, LAST_EVALUATION)

    def close(self) -> None:
        """Close the thread, files and source of games."""
        self.state.batches.close()
        self.folder.metrics.close()
        self.state.source.close()  # last: a game's own code may fail here


def run(
    config: Config, out: Path, *, report: Report = lambda _: None, source_of: SourceOf = sources.source_of
) -> int:
    """Train `config` in the folder `out`, resuming from its newest checkpoint if there is one.

    report: called with progress; source_of: makes the source of games.

    Returns 0 when the limit is reached, 130 after Ctrl-C (saved in both cases). Raises ActorError, SearchError or
    GameError if self-play failed, after saving; LearningError, with the checkpoints unchanged; CheckpointError or
    ConfigError.
    """
    check_resolved(config)
    check_outcomes(config, games.spec(config.game))
    check_planner(config, "search")
    check_planner(config, "play")
    device_of(config.train.device)
    keep_freed_blocks()
    runs.check_writable(out)
    interrupt = Interrupt()
    with runs.lock(out), interrupt.listening():
        newest = runs.newest(out)
        start = 0 if newest is None else _step_to_go_on_from(newest, config)
        with contextlib.closing(Run(config, out, start, source_of)) as begun:
            return _saved_where_play_fails(begun, newest, report, interrupt)


def _step_to_go_on_from(newest: Path, config: Config) -> int:
    """The learning step of a run's newest checkpoint. Raises ConfigError if `config` can't resume from it."""
    stored = checkpoint.load(newest, ())
    check_continues(newest, stored.config, config)
    return stored.step


def _saved_where_play_fails(run: Run, newest: Path | None, report: Report, interrupt: Interrupt) -> int:
    """Start or resume a run, and save it if self-play fails; returns the exit code."""
    try:
        if newest is None:
            run.folder.forget_after(-1)
        else:
            run.resume(newest)
        return run.go(report, interrupt)
    except (ActorError, SearchError):
        run.folder.save()
        raise
    except GameError:
        # Some games may have moved and others not.
        run.folder.save(unfinished=False)
        raise
