"""Self-play in separate processes. The learner never waits indefinitely for an actor.

Weights go through one shared block of floats, games through pipes that block when full: an actor too far ahead waits.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from typing import Any

import torch

from games import rows
from games.families import may_hold
from muzero.config import Config
from muzero.device.allocator import keep_freed_blocks
from muzero.model.build import build_model
from muzero.model.learned import LearnedModel
from muzero.training.actors import delivery, make_actor, selfplay_network, selfplay_planner
from muzero.training.inbox import Inbox
from muzero.training.mailbox import Mailbox
from muzero.training.orphans import end_with_parent
from muzero.training.source import ActorError, Delivery, Files

STOPS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""Signals that ask a run to stop, which only its main process handles."""
JOIN_SECONDS = 5.0


class Processes:
    """Actors in separate processes, for a run that starts or resumes at learning step `start`.

    Never waits indefinitely for them, whether they are stopped, killed or working. Raises ActorError for one that can't
    be started.
    """

    repeatable = False

    def __init__(self, config: Config, start: int = 0) -> None:
        self.holding = may_hold(config.game)
        self.inboxes: list[Inbox] = []
        self.processes: list[Any] = []
        # At exit, multiprocessing waits for those that are still playing.
        atexit.register(self.close)
        try:
            with without_interrupts():
                # First, since starting this helper of multiprocessing unblocks the signals we have blocked.
                resource_tracker.ensure_running()
            self.mailbox = Mailbox(sum(value.numel() for value in build_model(config).state_dict().values()))
            for index in range(config.train.actors):
                self._start(config, index, start)
        except OSError as error:
            self.close()
            raise ActorError(f"self-play process {len(self.processes)} of {config.train.actors} could not be started: "
                             f"{error.strerror}; try fewer train.actors") from error
        except BaseException:
            self.close()
            raise

    def _start(self, config: Config, index: int, start: int) -> None:
        context: Any = multiprocessing.get_context("spawn")
        receive, send = context.Pipe(duplex=False)
        process = context.Process(
            target=act, args=(config, index, start, send, self.mailbox, os.getpid()), daemon=True,
            name=f"actor-{index}")
        with without_interrupts():
            process.start()
        send.close()
        self.inboxes.append(Inbox(receive))
        self.processes.append(process)

    def collect(self, wait: bool) -> list[Delivery]:
        inboxes = {inbox.pipe: inbox for inbox in self.inboxes}
        ready = multiprocessing.connection.wait(list(inboxes), timeout=0.2 if wait else 0.0)
        found = [self._receive(inboxes[pipe]) for pipe in ready]  # type: ignore[index]
        return [delivery for delivery in found if delivery is not None]

    def _receive(self, inbox: Inbox) -> Delivery | None:
        index = self.inboxes.index(inbox)
        try:
            message = inbox.take()
        except (EOFError, OSError) as error:
            self.processes[index].join(JOIN_SECONDS)
            raise self._ended(index) from error
        if isinstance(message, str):
            raise ActorError(f"self-play process {index} failed:\n{message}")
        delivery: Delivery | None = message
        return delivery

    def _ended(self, index: int) -> ActorError:
        code = self.processes[index].exitcode
        memory = "; out of memory? try fewer selfplay.games" if code == -signal.SIGKILL else ""
        return ActorError(f"self-play process {index} ended unexpectedly (exit code {code}){memory}")

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.mailbox.put(model, progress)

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        return {}, {}

    def restore(self, files: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> int | None:
        return None

    def close(self) -> None:
        if self.holding:
            self._let_go()
        for process in self.processes:
            process.kill()  # they ignore gentler signals, and hold nothing worth saving
        for process in self.processes:
            process.join(JOIN_SECONDS)
        for inbox in self.inboxes:
            inbox.pipe.close()
        atexit.unregister(self.close)

    def _let_go(self) -> None:
        """Close the pipes, which each process notices after its move and then closes its games."""
        for inbox in self.inboxes:
            inbox.pipe.close()
        end = time.monotonic() + JOIN_SECONDS
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Block stop signals: in this process until the end of the block, in a process started inside it for good.

    A terminal sends Ctrl-C to all processes, and SIGHUP when it closes; stopping a process group sends SIGTERM to all.
    These would kill a process that is still importing.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def act(
    config: Config, index: int, start: int, pipe: multiprocessing.connection.Connection, mailbox: Mailbox, parent: int
) -> None:
    """Body of a self-play process: plays until the parent ends. Stop signals are handled by the parent."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    if not may_hold(config.game) and not end_with_parent(parent):
        return
    torch.set_num_threads(config.train.threads)
    keep_freed_blocks()
    try:
        _act(config, index, start, pipe, mailbox, parent)
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception:
        with contextlib.suppress(OSError):
            pipe.send(traceback.format_exc())
        raise


def _act(
    config: Config, index: int, start: int, pipe: multiprocessing.connection.Connection, mailbox: Mailbox, parent: int
) -> None:
    actor = make_actor(config, index + 1, start)
    with rows.released(actor.games):
        network = selfplay_network(config)
        planner = selfplay_planner(network, config)
        version = 0
        while os.getppid() == parent:
            newest = mailbox.take(network, version)
            if newest != version:
                planner.refresh()
                version = newest
            pipe.send(delivery(actor, planner if version else None, mailbox.progress))
