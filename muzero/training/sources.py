"""Selection of a run's source of games; add new sources here."""

from __future__ import annotations

from muzero.config import Config
from muzero.training.in_process import InProcess
from muzero.training.processes import Processes
from muzero.training.source import Source


def source_of(config: Config, start: int = 0) -> Source:
    """Self-play in this process or, with `train.actors`, in separate processes, for a run that starts or resumes at
    learning step `start`. Raises GameError, or ActorError for a process that can't be started."""
    return InProcess(config) if config.train.actors == 0 else Processes(config, start)
