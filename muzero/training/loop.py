"""Wires self-play, replay and learner into one run: the only module that knows both sides.

One loop serves both modes. In one process (`train.actors` = 0) a move is played whenever the learner may not draw yet:
same seed, same bytes. With actors, games arrive meanwhile from processes of their own, and the next batch is drawn
while the learner is at work on this one.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import games
from games.base import GameError
from games.symmetry import symmetries
from muzero.agent import Agent
from muzero.config import Config, ConfigError, at, check_continues, check_outcomes, check_resolved
from muzero.device.allocator import give_back_freed_blocks, keep_freed_blocks
from muzero.device.graphs import Sent
from muzero.device.select import device_of
from muzero.learning.learner import Learner, StepReport
from muzero.model.build import build_model
from muzero.players import SearchPlayer, parse
from muzero.replay.batch import Batch
from muzero.replay.buffer import Replay
from muzero.replay.prefetch import Batches
from muzero.replay.sampling import DrawConfig, draw
from muzero.search.tree import SearchError
from muzero.storage import agent_folder, checkpoint, runs
from muzero.storage.metrics import Metrics
from muzero.training import pace
from muzero.training.interrupt import Interrupt, MatchLeftError, Reported, Watched
from muzero.training.pace import Standing
from muzero.training.processes import ActorError, Processes
from muzero.training.rating import verdict
from muzero.training.reanalyse import Reanalyser
from muzero.training.sources import InProcess
from muzero.training.tally import Ends, Supports
from muzero.view.progress import EVALUATING, LAST_EVALUATION, RANDOM_PLAY, Progress
from muzero.view.terminal import amount, counted
from selfplay.players import Player
from selfplay.strength.arena import move_limit, play_alone, play_match
from selfplay.strength.perfect import PerfectPlayer

RETURNS = 100
"""Games of one player whose mean return is reported."""
PICTURES = 2_048
"""Positions that tell what is usual in a game's pictures."""
TRAINING = "training"
"""`Progress.status` while steps are learned."""
INTERRUPTED = 130
"""Exit code of a run stopped by Ctrl-C and saved."""


def opponent_of(config: Config) -> Player | None:
    """Who the matches during training are against; None without matches or in a one-player game. Raises ConfigError."""
    if config.train.evaluate_minutes == 0.0 or games.spec(config.game).players == 1:
        return None
    try:
        opponent = parse(config.train.evaluate_against, config.game, config.train.seed)
        if isinstance(opponent, PerfectPlayer):
            opponent.solve_start()
    except GameError as error:
        raise ConfigError(f"train.evaluate_against: {error}") from error
    return opponent


@dataclasses.dataclass
class Rates:
    """Counts since the last report."""

    since: float
    steps: int = 0
    games: int = 0
    positions: int = 0
    simulations: int = 0
    waited: float = 0.0
    """seconds in which games were missing"""
    reanalysed: int = 0


class Run:
    """The state of one training run. `run` below is the way in."""

    def __init__(self, config: Config, out: Path, start: int = 0) -> None:
        """start: learning step of the checkpoint that `resume` will take."""
        self.config, self.out = config, out
        torch.set_num_threads(config.train.threads)
        torch.manual_seed(config.train.seed)
        self.rng = np.random.default_rng([config.train.seed, 0x7EA])
        self.learner = Learner(build_model(config).to(device_of(config.train.device)), config.learner)
        self.replay = Replay(games.spec(config.game), config.replay, symmetries(config.game))
        self.batches = Batches(self.replay, DrawConfig.of(config.learner, config.unroll), self.rng)
        self.reanalyser = Reanalyser(config) if config.learner.reanalyse_fraction > 0 else None
        self.metrics = Metrics(out)
        self.drawn = 0
        self.games = self.cut = 0
        self.ends, self.supports = Ends(), Supports(config.model, self.replay.spec)
        self.elapsed_before = 0.0
        self.clock = time.process_time if config.train.clock == "cpu" else time.monotonic
        self.started: float | None = None
        """Reading of the clock when `go` began, None where no training is under way"""
        self.rates = Rates(time.monotonic())
        self.returns: deque[float] = deque(maxlen=RETURNS)
        self.last: StepReport | None = None
        self.errors: tuple[NDArray[np.int64], Sent] | None = None
        self.opponent = opponent_of(config)
        self.evaluation = ""
        self.evaluated = 0
        """Learning step of the newest evaluation"""
        self.snapshots_left = 0
        self.anew = 0
        """Unfinished games that had to begin anew when the run went on"""
        # Last: whatever fails before leaves no process behind.
        self.source: InProcess | Processes = (
            InProcess(config) if config.train.actors == 0 else Processes(config, start))

    # --- where the run stands -------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Seconds of training by the clock of the config, earlier parts of the run included."""
        return self.elapsed_before + (0.0 if self.started is None else self.clock() - self.started)

    @property
    def now(self) -> Standing:
        return Standing(self.learner.steps, self.elapsed, self.drawn, self.replay.added, self.replay.ready)

    @property
    def progress(self) -> float:
        """Training progress in [0, 1] that schedules follow."""
        return pace.progress(self.config, self.now)

    @property
    def done(self) -> bool:
        # A batch that is being drawn has taught nothing yet.
        return pace.done(self.config, dataclasses.replace(self.now, drawn=self.drawn - self.batches.begun))

    @property
    def unmeasured(self) -> bool:
        """True in a run that evaluates now and then, where the newest weights were not evaluated yet."""
        return self.config.train.evaluate_minutes > 0 and self.learner.steps > self.evaluated

    @property
    def warming_up(self) -> bool:
        """True while moves are random, to begin with."""
        return self.replay.added < self.config.selfplay.warmup_positions

    @property
    def phase(self) -> str:
        """What goes on, in words."""
        if self.warming_up:
            return RANDOM_PLAY
        return TRAINING if self.learner.steps else "playing the first games"

    # --- the loop -------------------------------------------------------------------------------------------------

    def go(self, report: Callable[[Progress], None], interrupt: Interrupt) -> int:
        self.started = self.clock()
        saved = reported = evaluated = time.monotonic()
        report(self.snapshot_of_progress("going on" if self.phase == TRAINING else self.phase))
        while not self.done and not interrupt.asked:
            self.advance()
            self.leave_snapshot()
            now = time.monotonic()
            if now - reported >= self.config.train.log_seconds:
                self.log(report)
                reported = now
            if 0 < self.config.train.evaluate_minutes <= (now - evaluated) / 60.0:
                with contextlib.suppress(MatchLeftError):
                    self.evaluate(report, interrupt)
                give_back_freed_blocks()
                evaluated = time.monotonic()
            if now - saved >= self.config.train.checkpoint_seconds:
                # A match may have taken the clock past a snapshot, which a run that goes on from here won't make up.
                self.leave_snapshot()
                self.save()
                give_back_freed_blocks()
                saved = time.monotonic()
        # What follows is no training.
        self.elapsed_before, self.started = self.elapsed, None
        self.log(lambda _: None)
        self.leave_snapshot()
        self.save()
        self.evaluate_last(report, interrupt)
        report(self.snapshot_of_progress("stopped and saved" if interrupt.asked else "done and saved"))
        return INTERRUPTED if interrupt.asked else 0

    def advance(self) -> None:
        """Take in games that have come, then learn one step if the replay ratio allows, or wait for games if not.

        While games come in, positions are searched again or priorities set, no draw is under way.
        """
        batch = self.batches.take()
        ready = batch is not None or pace.may_draw(self.config, self.now)
        if not pace.played_out(self.config, self.now) and not (ready and pace.flooded(self.config, self.now)):
            self.take_games(wait=not ready)
        if not ready:
            return
        if self.learner.steps == 0 and self.config.model.standardise:
            self.look()
        if self.learner.steps % self.config.train.publish_steps == 0:
            self.publish()
        if self.reanalyser is not None:
            self.rates.reanalysed += self.reanalyser.pay(self.replay, self.rng)
        if batch is None:
            batch = self.batches.draw(self.next_size())
        if self.config.train.actors > 0 and pace.may_draw(self.config, self.now):
            self.batches.begin(self.next_size())
        self.learn(batch)

    def look(self) -> None:
        """Show the learner what is usual in the game's pictures."""
        alone = dataclasses.replace(self.batches.config, unroll=0, later_obs=0)
        self.learner.see(draw(self.replay, PICTURES, alone, self.rng).obs)

    def next_size(self) -> int:
        """Size of the batch to draw next, which counts as drawn from now on."""
        size = int(at(self.config.learner.batch, self.progress))
        self.drawn += size
        return size

    def learn(self, batch: Batch) -> None:
        """One learning step, and the priorities that follow from it."""
        self.last = self.learner.step(batch, self.progress)
        self.supports.add(batch)
        self.rates.steps += 1
        if self.reanalyser is not None:
            self.reanalyser.owe(len(batch.index))
        if not self.config.replay.prioritized:
            return
        newest = batch.index, Sent(self.last.losses.value_error.float())
        # On a GPU the step has only begun: its errors are read when the next one has. In one process they are waited
        # for, so that a checkpoint holds all that this step changed.
        at_once = not self.learner.update.deferred or self.config.train.actors == 0
        due, self.errors = (newest, None) if at_once else (self.errors, newest)
        if due is not None:
            self.batches.rest()
            self.replay.set_priorities(due[0], due[1].read().numpy())

    def take_games(self, wait: bool) -> None:
        before = time.monotonic()
        for delivery in self.source.collect(wait):
            for game in delivery.games:
                self.replay.add(game)
            self.games += len(delivery.returns)
            self.cut += delivery.cut
            self.ends.add(len(delivery.returns) - delivery.cut, delivery.cut)
            self.rates.games += len(delivery.returns)
            self.returns.extend(delivery.returns)
            self.rates.positions += delivery.moves
            self.rates.simulations += delivery.simulations
        if wait:
            self.rates.waited += time.monotonic() - before

    def publish(self) -> None:
        """New weights for the actors (from the first learning step on, when the warm-up is over).

        Raises LearningError for weights that no actor could play with.
        """
        self.learner.check_finite()
        if self.reanalyser is not None:
            self.reanalyser.load(self.learner.averaged.state_dict())
        if self.replay.added >= self.config.selfplay.warmup_positions:
            self.source.publish(self.learner.averaged, self.progress)

    def evaluate(
        self, report: Callable[[Progress], None], interrupt: Interrupt, status: str = EVALUATING
    ) -> None:
        """A short match of the newest weights, for display and metrics; draws nothing from the run's streams.

        `report` hears now and then how far it is, under `status`.

        Raises MatchLeftError.
        """
        def tell(far: str) -> None:
            report(dataclasses.replace(self.snapshot_of_progress(status), evaluation=far))

        train = self.config.train
        # A copy, not a new model: drawing first weights would move torch's random state, which is saved.
        model = copy.deepcopy(self.learner.averaged)
        watched = Watched(SearchPlayer(Agent(model, self.config, "newest", self.learner.steps)), interrupt)
        most = move_limit(self.replay.spec, train.evaluate_moves)
        player = Reported(watched, train.evaluate_games, most, tell, train.log_seconds)
        if self.opponent is None:
            solo = play_alone(self.config.game, player, train.evaluate_games, train.seed, train.evaluate_moves)
            self.evaluation = f"mean return {amount(solo.mean, 2)} in {train.evaluate_games} games"
            values, cut, limit = {"evaluation/mean_return": solo.mean}, solo.cut, solo.max_moves
        else:
            match = play_match(self.config.game, player, self.opponent, train.evaluate_games, train.seed,
                               max_moves=train.evaluate_moves)
            self.evaluation, values = verdict(match.total, self.opponent.name)
            cut, limit = match.cut, match.max_moves
        if cut:
            self.evaluation += f" ({cut} cut after {limit:,} moves)"
            values["evaluation/cut"] = float(cut)
        self.evaluation += f" at step {self.learner.steps:,}"
        self.evaluated = self.learner.steps
        self.measure(values)

    def evaluate_last(self, report: Callable[[Progress], None], interrupt: Interrupt) -> None:
        """At the end of a run that evaluates now and then: the agent it ends with."""
        if not self.unmeasured or interrupt.asked:
            return
        report(self.snapshot_of_progress(LAST_EVALUATION))
        with contextlib.suppress(MatchLeftError):
            self.evaluate(report, interrupt, LAST_EVALUATION)

    # --- reports --------------------------------------------------------------------------------------------------

    def log(self, report: Callable[[Progress], None]) -> None:
        progress = self.snapshot_of_progress(self.phase)
        values = {f"loss/{name}": value for name, value in progress.losses.items()}
        values |= {f"check/{name}": value for name, value in progress.checks.items()}
        if self.last is not None:
            values |= {f"check/{name}": value for name, value in self.supports.newest().items()}
        for name in ("games_per_s", "positions_per_s", "simulations_per_s", "steps_per_s", "replay_positions",
                     "replay_ratio", "learner_wait", "data_wait", "reanalysed", "elapsed_s", "games", "cut",
                     "positions"):
            values[f"run/{name}"] = float(getattr(progress, name))
        if not math.isnan(progress.mean_return):
            values["run/mean_return"] = progress.mean_return
        self.measure(values)
        report(progress)
        self.rates = Rates(time.monotonic())
        self.batches.waited = 0.0

    def measure(self, values: Mapping[str, float]) -> None:
        """Keep what was measured at this step. Raises CheckpointError, after saving the run."""
        try:
            self.metrics.write(self.learner.steps, values)
        except checkpoint.CheckpointError:
            self.save()
            raise

    def snapshot_of_progress(self, status: str) -> Progress:
        seconds = max(1e-9, time.monotonic() - self.rates.since)
        losses, checks = self._figures()
        fraction = self.progress
        return Progress(
            game=self.config.game, run=str(self.out), step=self.learner.steps, steps_limit=self.config.train.steps,
            elapsed_s=self.elapsed, minutes_limit=self.config.train.minutes, clock=self.config.train.clock,
            progress=fraction, eta_s=pace.seconds_left(self.config, self.now),
            positions_limit=self.config.train.positions, games=self.games, positions=self.replay.added,
            games_per_s=self.rates.games / seconds, positions_per_s=self.rates.positions / seconds,
            simulations_per_s=self.rates.simulations / seconds, steps_per_s=self.rates.steps / seconds,
            replay_positions=len(self.replay),
            replay_capacity=self.replay.capacity, replay_ratio=self.drawn / max(1, self.replay.added),
            replay_ratio_wanted=self.config.learner.replay_ratio, learner_wait=self.rates.waited / seconds,
            data_wait=self.batches.waited / seconds, reanalysed=self.rates.reanalysed / seconds,
            mean_return=float(np.mean(self.returns)) if self.returns and self.replay.spec.players == 1 else math.nan,
            losses=losses, checks=checks, evaluation=self.evaluation, status=status, cut=self.cut,
            warnings=self._warnings(),
            warmup_positions=self.config.selfplay.warmup_positions if self.warming_up else 0,
            reached=self.done, unmeasured=self.unmeasured)

    def _warnings(self) -> tuple[str, ...]:
        cut = self.ends.advice(self.config.selfplay.max_moves, self.replay.spec.max_length)
        return (*self.supports.advice(), *cut, *self._begun_anew())

    def _begun_anew(self) -> list[str]:
        if self.anew == 0:
            return []
        return [f"{counted(self.anew, 'unfinished game')} went another way when played again, as {self.config.game} "
                "doesn't follow from its seeds alone: begun anew; all else goes on"]

    def _figures(self) -> tuple[dict[str, float], dict[str, float]]:
        if self.last is None:
            return {}, {}
        losses = {"total": float(self.last.losses.total.detach())}
        losses |= {name: float(value) for name, value in self.last.losses.parts.items()}
        losses |= {"gradient_norm": float(self.last.gradient_norm), "learning_rate": self.last.learning_rate}
        return losses, {name: float(value) for name, value in self.last.losses.checks.items()}

    # --- snapshots and checkpoints --------------------------------------------------------------------------------

    def leave_snapshot(self) -> None:
        """An agent of the weights that play now, at every multiple of `train.snapshot_minutes` of training.

        Raises CheckpointError after saving the run, and LearningError instead of keeping weights that are not finite.
        """
        due = self.snapshots_due
        if due == self.snapshots_left:
            return
        self.snapshots_left = due
        self.learner.check_finite()
        train = self.config.train
        card = {"game": self.config.game, "seed": train.seed, "minutes": f"{self.elapsed / 60.0:.1f}",
                "games_played": f"{self.games:,}", "positions_played": f"{self.replay.added:,}"}
        try:
            agent_folder.snapshot(self.out, self.learner.steps, self.learner.averaged.state_dict(), self.config, card)
        except checkpoint.CheckpointError:
            self.save()
            raise

    @property
    def snapshots_due(self) -> int:
        """How many should have been left behind by now."""
        every = 60.0 * self.config.train.snapshot_minutes
        return int(self.elapsed / every) if every > 0.0 and self.learner.steps > 0 else 0

    def save(self, unfinished: bool = True) -> None:
        """Write a checkpoint, without the unfinished games if they are not wanted.

        Raises CheckpointError, and LearningError instead of saving weights that are not finite.
        """
        self.learner.check_finite()
        self.batches.rest()
        files: dict[str, dict[str, Any]] = {
            "weights": dict(self.learner.averaged.state_dict()),
            "optimizer": self.learner.optimizers.tensors(),
            "replay": self.replay.arrays(),
        }
        if self.learner.averaged is not self.learner.model:
            files["trained"] = dict(self.learner.model.state_dict())
        if self.reanalyser is not None:
            files["reanalysing"] = dict(self.reanalyser.network.state_dict())
        state: dict[str, Any] = {
            # A batch that nobody learned from yet will be drawn anew.
            "drawn": self.drawn - self.batches.begun, "games": self.games, "cut": self.cut, "added": self.replay.added,
            "written": self.replay.written, "max_priority": self.replay.max_priority,
            "rng": self.rng.bit_generator.state, "torch_rng": torch.get_rng_state().numpy().tobytes().hex(),
        }
        if self.reanalyser is not None:
            state["reanalysis"] = self.reanalyser.snapshot()
        if unfinished and isinstance(self.source, InProcess):
            held, told = self.source.snapshot()
            files, state = files | held, state | told
        checkpoint.save(self.out, self.learner.steps, files, state, self.config, elapsed=self.elapsed)

    def resume(self, folder: Path) -> None:
        """Go on from a checkpoint of this run.

        Raises Damaged if what it holds doesn't fit its own config, of which `check_continues` is sure.
        """
        stored = checkpoint.load(folder)
        try:
            self._restore(stored)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
            raise checkpoint.Damaged(f"{folder} doesn't fit its own config: {error!r}; if another version of "
                                     "muzero-engine began this run, go on with that one") from error
        self.forget_after(stored.step)
        if self.learner.steps > 0 and not (isinstance(self.source, InProcess) and "actor" in stored.state):
            self.publish()

    def forget_after(self, step: int) -> None:
        """Drop the measurements and snapshots later than `step`, from where the run goes on: a kill left them."""
        self.metrics.truncate(step)
        runs.drop_snapshots(self.out, step)

    def _restore(self, stored: checkpoint.Checkpoint) -> None:
        tensors, state = stored.tensors, stored.state
        weights = tensors["weights"]
        self.learner.restore(tensors.get("trained", weights), weights, tensors["optimizer"], stored.step)
        arrays = {name: value.numpy() for name, value in tensors["replay"].items()}
        # Older versions wrote a position in every place.
        written = checkpoint.count_of(state, "written") if "written" in state else None
        self.replay.restore(
            arrays, checkpoint.count_of(state, "added"), checkpoint.number_of(state, "max_priority"), written)
        self.drawn, self.games = checkpoint.count_of(state, "drawn"), checkpoint.count_of(state, "games")
        # Older versions didn't count them.
        self.cut = checkpoint.count_of(state, "cut") if "cut" in state else 0
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(state["torch_rng"]), dtype=torch.uint8))
        self.elapsed_before, self.evaluated = stored.elapsed, stored.step
        self.snapshots_left = self.snapshots_due
        if self.reanalyser is not None:
            self.reanalyser.load(tensors.get("reanalysing", weights))
            if "reanalysis" in state:
                self.reanalyser.restore(state["reanalysis"])
        if isinstance(self.source, InProcess) and "actor" in state:
            self.anew = self.source.restore(tensors, state)


def run(config: Config, out: Path, *, report: Callable[[Progress], None] = lambda _: None) -> int:
    """Train `config` in the folder `out`, going on from its newest checkpoint if there is one.

    Returns 0 when the limit is reached, 130 when Ctrl-C stopped it (saved in both cases). Raises ActorError,
    SearchError or GameError after saving the step where self-play failed; LearningError, after which the checkpoints
    are as they were; CheckpointError or ConfigError.
    """
    check_resolved(config)
    check_outcomes(config, games.spec(config.game))
    device_of(config.train.device)
    keep_freed_blocks()
    runs.check_writable(out)
    interrupt = Interrupt()
    with runs.lock(out), interrupt.listening():
        newest = runs.newest(out)
        start = 0
        if newest is not None:
            stored = checkpoint.load(newest, ())
            check_continues(newest, stored.config, config)
            start = stored.step
        state = Run(config, out, start)
        try:
            if newest is None:
                state.forget_after(-1)
            else:
                state.resume(newest)
            return state.go(report, interrupt)
        except (ActorError, SearchError):
            state.save()
            raise
        except GameError:
            # Some of the games may have moved and others not.
            state.save(unfinished=False)
            raise
        finally:
            state.batches.close()
            state.metrics.close()
            state.source.close()  # last: a game's own code may fail at it
