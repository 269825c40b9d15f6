"""Progress reports of a run: counts, rates, losses and metrics."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muzero.learning.learner import StepReport
from muzero.replay.batch import Batch
from muzero.training import pace
from muzero.training.source import Delivery
from muzero.training.state import RunState
from muzero.training.tally import Ends, Supports
from muzero.view.progress import Progress
from muzero.view.terminal import counted

RETURNS = 100
"""Number of newest one-player games whose mean return is reported."""
RUN_METRICS = (
    "games_per_s", "positions_per_s", "simulations_per_s", "steps_per_s", "replay_positions", "replay_ratio",
    "learner_wait", "data_wait", "reanalysed", "elapsed_s", "games", "cut", "positions")
"""Fields of a `Progress` that are stored as metrics `run/NAME`."""


@dataclass
class Rates:
    """Counts since the last report."""

    since: float
    steps: int = 0
    games: int = 0
    positions: int = 0
    simulations: int = 0
    waited: float = 0.0
    """seconds spent waiting for games"""
    reanalysed: int = 0


class Reporter:
    """Counts what a run does, and reports it as a `Progress` and as metrics."""

    def __init__(self, state: RunState, out: Path) -> None:
        """out: folder of the run, for display."""
        self.state, self.out = state, out
        self.rates = Rates(time.monotonic())
        self.ends, self.supports = Ends(), Supports(state.config.model, state.replay.spec)
        self.returns: deque[float] = deque(maxlen=RETURNS)
        self.last: StepReport | None = None
        """Report of the newest learning step"""

    # --- counting -------------------------------------------------------------------------------------------------

    def played(self, delivery: Delivery) -> None:
        """Count delivered games."""
        self.ends.add(len(delivery.returns) - delivery.cut, delivery.cut)
        self.rates.games += len(delivery.returns)
        self.returns.extend(delivery.returns)
        self.rates.positions += delivery.moves
        self.rates.simulations += delivery.simulations

    def learned(self, batch: Batch, report: StepReport) -> None:
        """Count a learning step."""
        self.last = report
        self.supports.add(batch)
        self.rates.steps += 1

    def restart(self) -> None:
        """Reset the counts after a report."""
        self.rates = Rates(time.monotonic())
        self.state.batches.waited = 0.0

    # --- telling --------------------------------------------------------------------------------------------------

    def metrics(self, progress: Progress) -> dict[str, float]:
        """The figures of a report as metrics, by name."""
        values = {f"loss/{name}": value for name, value in progress.losses.items()}
        values |= {f"check/{name}": value for name, value in progress.checks.items()}
        if self.last is not None:
            values |= {f"check/{name}": value for name, value in self.supports.newest().items()}
        values |= {f"run/{name}": float(getattr(progress, name)) for name in RUN_METRICS}
        if not math.isnan(progress.mean_return):
            values["run/mean_return"] = progress.mean_return
        return values

    def progress(self, status: str) -> Progress:
        """The run at this moment. status: current activity, in words."""
        state, config, rates = self.state, self.state.config, self.rates
        seconds = max(1e-9, time.monotonic() - rates.since)
        losses, checks = self._figures()
        return Progress(
            game=config.game, run=str(self.out), step=state.learner.steps, steps_limit=config.train.steps,
            elapsed_s=state.clock.elapsed, minutes_limit=config.train.minutes, clock=config.train.clock,
            progress=state.progress, eta_s=pace.seconds_left(config, state.now),
            positions_limit=config.train.positions, games=state.games, positions=state.played,
            games_per_s=rates.games / seconds, positions_per_s=rates.positions / seconds,
            simulations_per_s=rates.simulations / seconds, steps_per_s=rates.steps / seconds,
            replay_positions=len(state.replay), replay_capacity=state.replay.capacity,
            replay_ratio=state.drawn / max(1, state.played), replay_ratio_wanted=config.learner.replay_ratio,
            learner_wait=rates.waited / seconds, data_wait=state.batches.waited / seconds,
            reanalysed=rates.reanalysed / seconds, mean_return=self._mean_return(), losses=losses, checks=checks,
            evaluation=state.evaluation, trust=state.trust, status=status, cut=state.cut, warnings=self._warnings(),
            warmup_positions=config.selfplay.warmup_positions if state.warming_up else 0,
            reached=state.done, unmeasured=state.unmeasured)

    def _mean_return(self) -> float:
        return float(np.mean(self.returns)) if self.returns and self.state.replay.spec.players == 1 else math.nan

    def _warnings(self) -> tuple[str, ...]:
        cut = self.ends.advice(self.state.config.selfplay.max_moves, self.state.replay.spec.max_length)
        return (*self.supports.advice(), *cut, *self._begun_anew())

    def _begun_anew(self) -> list[str]:
        if self.state.anew == 0:
            return []
        return [f"{counted(self.state.anew, 'unfinished game')} went differently when replayed, as "
                f"{self.state.config.game} isn't determined by its seeds: started again; all else continues"]

    def _figures(self) -> tuple[dict[str, float], dict[str, float]]:
        """Losses and diagnostics of the newest learning step, by name."""
        if self.last is None:
            return {}, {}
        losses = {"total": float(self.last.losses.total.detach())}
        losses |= {name: float(value) for name, value in self.last.losses.terms.items()}
        losses |= {"gradient_norm": float(self.last.gradient_norm), "learning_rate": self.last.learning_rate}
        return losses, {name: float(value) for name, value in self.last.losses.checks.items()}
