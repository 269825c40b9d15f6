"""Where games come from: an actor in this process (deterministic) or actors in processes of their own.

Weights travel through one shared block of floats, games through pipes that block when nobody reads: an actor that is
too far ahead waits by itself.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

import games
from muzero.agent import build_model
from muzero.config import Config
from muzero.memory import keep_freed_blocks
from muzero.models.learned import LearnedModel
from muzero.records import Trajectory
from selfplay.actor import Actor, Counters

JOIN_SECONDS = 5.0


class ActorError(RuntimeError):
    """A self-play process failed; the message holds its cause."""


@dataclass(frozen=True)
class Delivery:
    """Finished games and what it took to play since the last delivery."""

    games: list[Trajectory]
    moves: int
    simulations: int


class Source(Protocol):
    """What the training loop asks of self-play."""

    def collect(self, wait: bool) -> list[Delivery]:
        """Finished games so far; with `wait`, play or wait for some (an empty list may still come)."""

    def publish(self, model: LearnedModel, progress: float) -> None:
        """Play with these weights from the next move on."""

    def close(self) -> None:
        """Stop playing; unfinished games are lost."""


def make_actor(config: Config, index: int) -> Actor:
    """Actor `index` of a run: its games and its random stream."""
    seed = np.random.SeedSequence([config.train.seed, index]).generate_state(2)
    batch = games.make(config.game, config.selfplay.games, int(seed[0]))
    return Actor(batch, config.search, config.selfplay, int(seed[1]))


class InProcess:
    """Plays one lockstep move whenever the learner has to wait: same seed, same bytes."""

    def __init__(self, config: Config) -> None:
        self.actor = make_actor(config, 0)
        self.model = build_model(config).eval()
        self.model.requires_grad_(False)
        self.playing = False
        self.progress = 0.0

    def collect(self, wait: bool) -> list[Delivery]:
        if not wait:
            return []
        before = Counters(**vars(self.actor.counters))
        finished = self.actor.play(self.model if self.playing else None, self.progress)
        done = self.actor.counters
        return [Delivery(finished, done.moves - before.moves, done.simulations - before.simulations)]

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.model.load_state_dict(model.state_dict())
        self.playing, self.progress = True, progress

    def close(self) -> None:
        pass


class Mailbox:
    """Newest weights of the learner, in memory shared with the actors: one writer, many readers."""

    def __init__(self, context: Any, size: int) -> None:
        self.lock = context.Lock()
        self.weights = context.RawArray("f", size)
        self.version = context.RawValue("q", 0)
        self.progress = context.RawValue("d", 0.0)

    def put(self, model: LearnedModel, progress: float) -> None:
        flat = torch.cat([value.detach().float().reshape(-1).cpu() for value in model.state_dict().values()])
        with self.lock:
            np.frombuffer(self.weights, np.float32)[:] = flat.numpy()
            self.progress.value = progress
            self.version.value += 1

    def take(self, model: LearnedModel, known: int) -> int:
        """Load newer weights than version `known` into `model`; the version it has now."""
        if self.version.value == known:
            return known
        with self.lock:
            flat = torch.from_numpy(np.frombuffer(self.weights, np.float32).copy())
            version = int(self.version.value)
        start = 0
        for value in model.state_dict().values():
            value.copy_(flat[start : start + value.numel()].view_as(value))
            start += value.numel()
        return version


class Processes:
    """Actors in their own processes."""

    def __init__(self, config: Config) -> None:
        context: Any = multiprocessing.get_context("spawn")
        size = sum(value.numel() for value in build_model(config).state_dict().values())
        self.mailbox = Mailbox(context, size)
        self.pipes: list[multiprocessing.connection.Connection] = []
        self.processes: list[Any] = []
        for index in range(config.train.actors):
            receive, send = context.Pipe(duplex=False)
            process = context.Process(
                target=act, args=(config, index, send, self.mailbox, os.getpid()), daemon=True, name=f"actor-{index}")
            with without_interrupts():
                process.start()
            send.close()
            self.pipes.append(receive)
            self.processes.append(process)

    def collect(self, wait: bool) -> list[Delivery]:
        ready = multiprocessing.connection.wait(self.pipes, timeout=0.2 if wait else 0.0)
        return [self._receive(pipe) for pipe in ready]  # type: ignore[arg-type]

    def _receive(self, pipe: multiprocessing.connection.Connection) -> Delivery:
        index = self.pipes.index(pipe)
        try:
            message = pipe.recv()
        except EOFError as error:
            process = self.processes[index]
            process.join(JOIN_SECONDS)
            raise ActorError(f"self-play process {index} ended without a word (exit code {process.exitcode}); "
                             f"out of memory? try fewer selfplay.games") from error
        if isinstance(message, str):
            raise ActorError(f"self-play process {index} failed:\n{message}")
        delivery: Delivery = message
        return delivery

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.mailbox.put(model, progress)

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(JOIN_SECONDS)
            if process.is_alive():
                process.kill()
        for pipe in self.pipes:
            pipe.close()


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back: here until the end of the block, in a process started in it for ever.

    A terminal sends Ctrl-C to all processes, and one that is still importing would die of it.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def act(
    config: Config, index: int, pipe: multiprocessing.connection.Connection, mailbox: Mailbox, parent: int
) -> None:
    """Body of a self-play process: play until the parent ends. Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(config.train.threads)
    keep_freed_blocks()
    try:
        _act(config, index, pipe, mailbox, parent)
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception:
        with contextlib.suppress(OSError):
            pipe.send(traceback.format_exc())
        raise


def _act(
    config: Config, index: int, pipe: multiprocessing.connection.Connection, mailbox: Mailbox, parent: int
) -> None:
    actor = make_actor(config, index + 1)
    model = build_model(config).eval().to(device_of(config))
    model.requires_grad_(False)
    if model.device.type == "cuda":
        model.to(torch.bfloat16)
    version = 0
    while os.getppid() == parent:
        version = mailbox.take(model, version)
        before = Counters(**vars(actor.counters))
        finished = actor.play(model if version else None, mailbox.progress.value)
        done = actor.counters
        pipe.send(Delivery(finished, done.moves - before.moves, done.simulations - before.simulations))


def device_of(config: Config) -> torch.device:
    """The device a run computes on."""
    if config.train.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.train.device)

