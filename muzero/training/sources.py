"""Which source of games a run has, by its config: the one place to add another."""

from __future__ import annotations

from muzero.config import Config
from muzero.training.in_process import InProcess
from muzero.training.processes import Processes
from muzero.training.source import Source


def source_of(config: Config, start: int = 0) -> Source:
    """Self-play in this process or, with `train.actors`, in processes of their own, for a run that begins or goes on at
    learning step `start`. Raises GameError, or ActorError for a process that can't be started."""
    return InProcess(config) if config.train.actors == 0 else Processes(config, start)
