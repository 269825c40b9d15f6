"""Where games come from: an actor in this process (deterministic) or actors in processes of their own.

Weights travel through one shared block of floats, games through pipes that block when nobody reads: an actor that is
too far ahead waits by itself. The learner waits for no actor without an end.
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
from collections.abc import Iterator
from dataclasses import dataclass, fields
from multiprocessing import resource_tracker
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

import games
from games import rows
from games.families import family
from muzero.agent import build_model
from muzero.config import Config, ConfigError, check_resolved
from muzero.device.allocator import keep_freed_blocks
from muzero.device.precision import playing
from muzero.model.build import acting, latent_device, sight
from muzero.model.learned import LearnedModel
from muzero.model.protocol import Acting
from muzero.records import Trajectory
from muzero.search.tree import parts_on
from muzero.storage import checkpoint
from muzero.training.inbox import Inbox
from muzero.training.mailbox import Mailbox
from muzero.training.orphans import end_with_parent
from selfplay.actor import Actor, Counters

STOPS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""Signals that ask a run to stop, which its main process alone heeds."""
JOIN_SECONDS = 5.0


class ActorError(RuntimeError):
    """A self-play process failed; the message holds its cause."""


@dataclass(frozen=True)
class Delivery:
    """Finished games, or parts of games, and what it took to play since the last delivery."""

    games: list[Trajectory]
    moves: int
    simulations: int
    returns: list[float]
    """What each game that ended paid to player 0, in the game's own units."""
    cut: int = 0
    """How many of those games `selfplay.max_moves` cut before their end."""


class Source(Protocol):
    """What the training loop asks of self-play."""

    def collect(self, wait: bool) -> list[Delivery]:
        """Finished games so far; with `wait`, play or wait for some (an empty list may still come)."""

    def publish(self, model: LearnedModel, progress: float) -> None:
        """Play with these weights from the next move on."""

    def close(self) -> None:
        """Stop playing; unfinished games are lost."""


def make_actor(config: Config, index: int, start: int = 0) -> Actor:
    """Actor `index` of a run that begins or goes on at learning step `start`: its games and its random stream."""
    check_resolved(config)
    parts = parts_on(latent_device(config.model, device_of(config)))
    seed = np.random.SeedSequence([config.train.seed, index, start]).generate_state(2)
    batch = games.make(config.game, config.selfplay.games, int(seed[0]))
    return Actor(batch, config.search, config.selfplay, int(seed[1]), parts, sight(config.model))


def delivery(actor: Actor, model: Acting | None, progress: float) -> Delivery:
    """What one move in every game of `actor` gives; see `Actor.play`."""
    before = Counters(**vars(actor.counters))
    finished = actor.play(model, progress)
    done = actor.counters
    return Delivery(finished, done.moves - before.moves, done.simulations - before.simulations, actor.returns,
                    actor.cut)


class InProcess:
    """Plays one lockstep move whenever the learner has to wait: same seed, same bytes."""

    def __init__(self, config: Config) -> None:
        self.actor = make_actor(config, 0)
        self.model = acting_model(config)
        self.prepared = prepare(self.model, config)
        self.playing = False
        self.progress = 0.0

    def collect(self, wait: bool) -> list[Delivery]:
        return [delivery(self.actor, self.prepared if self.playing else None, self.progress)] if wait else []

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.model.load_state_dict(model.state_dict())
        self.prepared.refresh()
        self.playing, self.progress = True, progress

    def snapshot(self) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """All it needs to go on exactly: tensor files and JSON values of a checkpoint."""
        files = {"actors": self.actor.recorder.arrays(), "acting": dict(self.model.state_dict())}
        return files, {"actor": self.actor.snapshot(), "playing": self.playing, "acting_progress": self.progress}

    def restore(self, files: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> int:
        """Go back to what `snapshot` gave; how many games had to begin anew, as they don't follow from their seeds.

        Raises ValueError, KeyError, TypeError or RuntimeError for anything else.
        """
        stored, playing = state["actor"], state["playing"]
        progress = checkpoint.number_of(state, "acting_progress", 1.0)
        if type(playing) is not bool:
            raise ValueError(f"playing: true or false wanted, got {str(playing)[:40]}")
        counters = {field.name: checkpoint.count_of(stored["counters"], field.name) for field in fields(Counters)}
        opening = [checkpoint.count_of({"opening": plies}, "opening") for plies in stored["opening"]]
        made = [checkpoint.count_of({"made": moves}, "made") for moves in stored.get("made", opening)]
        if not len(opening) == len(made) == self.actor.games.size:
            raise ValueError(f"opening: {self.actor.games.size} games wanted, got {len(opening)} and {len(made)}")
        moves = {name: value.numpy() for name, value in files["actors"].items()}
        anew = self.actor.restore({**stored, "counters": counters, "opening": opening}, moves)
        self.model.load_state_dict(files["acting"])
        self.prepared.refresh()
        self.playing, self.progress = playing, progress
        return anew

    def close(self) -> None:
        rows.close(self.actor.games)


class Processes:
    """Actors in their own processes, for a run that begins or goes on at learning step `start`.

    Nothing here waits for them without an end, whether they are stopped, killed or at work. Raises ActorError for one
    that can't be started.
    """

    def __init__(self, config: Config, start: int = 0) -> None:
        self.holding = may_hold(config)
        self.inboxes: list[Inbox] = []
        self.processes: list[Any] = []
        # At the end of the program multiprocessing waits for those that still play.
        atexit.register(self.close)
        try:
            with without_interrupts():
                # First, since starting this helper of multiprocessing unblocks the signals held back.
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
        return ActorError(f"self-play process {index} ended without a word (exit code {code}){memory}")

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.mailbox.put(model, progress)

    def close(self) -> None:
        if self.holding:
            self._let_go()
        for process in self.processes:
            process.kill()  # they leave it to this process to heed anything less, and hold nothing that is to be kept
        for process in self.processes:
            process.join(JOIN_SECONDS)
        for inbox in self.inboxes:
            inbox.pipe.close()
        atexit.unregister(self.close)

    def _let_go(self) -> None:
        """Nobody takes games any more, which each notices after its move and lets go of what its games hold."""
        for inbox in self.inboxes:
            inbox.pipe.close()
        end = time.monotonic() + JOIN_SECONDS
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Hold back what asks a run to stop: here until the end of the block, in a process started in it for ever.

    A terminal sends Ctrl-C to all processes, and SIGHUP when it is closed, as whoever stops a whole group sends
    SIGTERM; one that is still importing would die of it.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def act(
    config: Config, index: int, start: int, pipe: multiprocessing.connection.Connection, mailbox: Mailbox, parent: int
) -> None:
    """Body of a self-play process: play until the parent ends. What asks a run to stop is the parent's business."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    if not may_hold(config) and not end_with_parent(parent):
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
        model = acting_model(config)
        prepared = prepare(model, config)
        version = 0
        while os.getppid() == parent:
            newest = mailbox.take(model, version)
            if newest != version:
                prepared.refresh()
                version = newest
            pipe.send(delivery(actor, prepared if version else None, mailbox.progress))


def may_hold(config: Config) -> bool:
    """Whether games may hold something that a kill would leave behind, such as processes of their own."""
    return family(config.game) in ("own", "gym")


def acting_model(config: Config) -> LearnedModel:
    """The network of an actor, on its device."""
    return build_model(config).eval().requires_grad_(False).to(device_of(config))


def prepare(model: LearnedModel, config: Config) -> Acting:
    """`model` as actors search with it."""
    return acting(model, playing(config.train.precision, config.model.network, model.device))


def device_of(config: Config) -> torch.device:
    """The device a run computes on. Raises ConfigError for a GPU that isn't there."""
    there = torch.cuda.is_available()
    if config.train.device == "auto":
        return torch.device("cuda" if there else "cpu")
    if config.train.device == "cuda" and not there:
        build = "no GPU is seen" if torch.version.cuda else "this PyTorch is a build without CUDA"
        raise ConfigError(f"train.device cuda: {build}; set it to auto or cpu, or see what `muzero doctor` says")
    return torch.device(config.train.device)

