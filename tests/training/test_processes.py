"""Actors in processes of their own: stopped, killed or left alone, they hold nobody up and leave nothing behind."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from test_train import ACTING, ENDLESS, ROOT, WAIT, wait_for
from tiny_runs import TINY, last

from muzero.config import Config, to_json
from muzero.errors import INTERRUPTED
from muzero.model.build import build_model
from muzero.storage import checkpoint, disk, runs
from muzero.training import inbox, loop, mailbox, processes
from muzero.training.inbox import Inbox
from muzero.training.interrupt import Interrupt
from muzero.training.mailbox import Mailbox
from muzero.training.processes import Processes
from muzero.training.source import ActorError
from muzero.view.progress import Progress

sys.path.append(str(ROOT / "benchmarks"))
import kill_test

torch.set_num_threads(1)
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
Pipe = tuple[Connection, Connection]


@pytest.fixture
def limited() -> Iterator[None]:
    """An end to what would wait for ever."""

    def give_up(*_: Any) -> NoReturn:
        raise TimeoutError("waited in vain")

    old = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, WAIT, 5.0)  # again and again: leaving may wait, too
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, old)


# --- messages -----------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(limited: None) -> Iterator[Pipe]:
    receive, send = multiprocessing.Pipe(duplex=False)
    with receive, contextlib.suppress(OSError), send:
        yield receive, send


def test_messages_come_whole_and_in_order(pipe: Pipe) -> None:
    box, sent = Inbox(pipe[0]), [np.arange(n) for n in (1, 1_000_000, 0, 300_000)]
    sender = threading.Thread(target=lambda: [pipe[1].send(array) for array in sent])
    sender.start()
    found: list[Any] = []
    while len(found) < len(sent):
        message = box.take()
        found += [] if message is None else [message]
    sender.join()
    assert all(np.array_equal(one, other) for one, other in zip(found, sent, strict=True))
    assert box.take() is None


@pytest.mark.parametrize("long", [False, True])
def test_half_a_message_is_not_waited_for(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, long: bool) -> None:
    waits: list[float] = []
    monkeypatch.setattr(inbox, "wait", lambda pipes, seconds: waits.append(seconds))
    content = pickle.dumps("the whole message")
    head = struct.pack("!iQ", -1, len(content)) if long else struct.pack("!i", len(content))
    box = Inbox(pipe[0])
    for part in (head[:2], head[2:], content[:5]):
        os.write(pipe[1].fileno(), part)
        assert box.take() is None
        waits.clear()
        assert box.take() is None
        assert waits == [0.0], "it stands still"
    os.write(pipe[1].fileno(), content[5:])
    assert box.take() == "the whole message"


def test_a_sender_too_far_ahead_waits(pipe: Pipe) -> None:
    """Nothing is read that nobody asks for."""
    Inbox(pipe[0])
    os.set_blocking(pipe[1].fileno(), False)
    assert os.write(pipe[1].fileno(), bytes(1 << 20)) < 1 << 20
    with pytest.raises(BlockingIOError):
        os.write(pipe[1].fileno(), bytes(1 << 20))


class Dead:
    """A process that was killed."""

    exitcode = -9

    def join(self, seconds: float) -> None:
        """Nothing to wait for."""


def test_an_actor_that_dies_in_the_middle_of_a_message(pipe: Pipe) -> None:
    os.write(pipe[1].fileno(), (100).to_bytes(4, "big") + b"the beginning")
    source = Processes.__new__(Processes)
    source.processes, source.inboxes = [Dead()], [Inbox(pipe[0])]
    assert source.collect(True) == []
    pipe[1].close()
    with pytest.raises(ActorError, match=r"process 0 ended unexpectedly \(exit code -9\)") as error:
        source.collect(True)
    assert isinstance(error.value.__cause__, EOFError)


def stop_in_a_message(config: Any, index: int, start: int, pipe: Connection, *_: Any) -> None:
    """In the place of an actor: one that gets no further than some bytes of a large message."""
    os.write(pipe.fileno(), (8 << 20).to_bytes(4, "big") + bytes(50_000))
    os.kill(os.getpid(), signal.SIGSTOP)


@LINUX
def test_an_actor_stopped_in_the_middle_of_a_message_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: None
) -> None:
    monkeypatch.setattr(processes, "act", stop_in_a_message)
    reports: list[Progress] = []

    def stop(progress: Progress) -> None:
        reports.append(progress)
        stopped = [child.pid for child in multiprocessing.active_children() if state_of(child.pid) == "T"]
        if stopped and len(reports) > 20 and progress.status != "stopped and saved":
            signal.raise_signal(signal.SIGINT)

    assert loop.run(ACTING, tmp_path, report=stop) == INTERRUPTED
    assert multiprocessing.active_children() == []
    assert last(tmp_path).name == "step-00000000"


# --- weights ------------------------------------------------------------------------------------------------


def test_weights_and_their_progress_arrive_once() -> None:
    first, second = build_model(TINY), build_model(TINY)
    box = Mailbox(sum(value.numel() for value in first.state_dict().values()))
    assert box.take(second, 0) == 0
    for version, progress in ((1, 0.5), (2, 0.75)):
        box.put(first, progress)
        assert box.take(second, version - 1) == version
        assert box.progress == progress
        assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
        with torch.no_grad():
            next(first.parameters()).add_(1.0)
        assert box.take(second, version) == version


@pytest.mark.parametrize("place", ["_weights", "_head"])
def test_a_copy_made_while_the_writer_is_at_work_counts_for_nothing(place: str) -> None:
    first, second = build_model(TINY), build_model(TINY)
    before = {name: value.clone() for name, value in second.state_dict().items()}
    box = Mailbox(sum(value.numel() for value in first.state_dict().values()))
    box.put(first, 0.5)
    if place == "_weights":
        box._weights[-1] += 1.0
    else:
        box._head["progress"] = 0.75
    assert box.take(second, 0) == 0
    assert box.progress == 0.0
    assert all(torch.equal(value, before[name]) for name, value in second.state_dict().items())
    box.put(first, 0.5)
    assert box.take(second, 0) == 2


def test_shared_memory_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None like /dev/shm, which may be missing or read-only, and in which a kill would leave what has a name."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("no such folder")

    for name in ("multiprocessing.heap.Arena.__init__", "multiprocessing.synchronize.SemLock.__init__"):
        monkeypatch.setattr(name, refuse)
    assert loop.run(ACTING, tmp_path) == 0
    monkeypatch.undo()
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with os.fdopen(mailbox.nameless(8), "r+b") as file:
        file.seek(0)
        assert file.read() == bytes(8)


# --- starting and ending ------------------------------------------------------------------------------------


def test_an_actor_that_can_not_be_started_is_told_and_takes_the_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Processes._start

    def refuse(self: Processes, config: Any, index: int, step: int) -> None:
        if index == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        start(self, config, index, step)

    monkeypatch.setattr(Processes, "_start", refuse)
    several = dataclasses.replace(ACTING, train=dataclasses.replace(ACTING.train, actors=3))
    with pytest.raises(ActorError, match=r"process 1 of 3 could not be started: Resource .*; try fewer train\.actors"):
        Processes(several)
    assert multiprocessing.active_children() == []


SCRIPT = """
import json, sys
from pathlib import Path
from muzero import config
from muzero.training import loop
from muzero.training.processes import Processes

if __name__ == "__main__":
    settings = config.from_json(json.load(open(sys.argv[1])))
    if len(sys.argv) == 2:
        forgotten = Processes(settings)
        sys.exit(0)
    sys.exit(loop.run(settings, Path(sys.argv[2])))
"""


def start(out: Path, *words: str, config: Config = ENDLESS) -> subprocess.Popen[bytes]:
    """An endless run with one actor in a process group of its own, as a terminal would make it."""
    out.mkdir()
    (out / "start.py").write_text(SCRIPT)
    (out / "start.json").write_bytes(disk.encode_json(to_json(config), "start.json"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(out / "start.py"), str(out / "start.json"), *words]
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)


@contextlib.contextmanager
def endless(out: Path, config: Config = ENDLESS) -> Iterator[subprocess.Popen[bytes]]:
    """A run in the folder `out`/run until the end of the block."""
    parent = start(out, str(out / "run"), config=config)
    try:
        yield parent
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate(timeout=WAIT)


def children_of(parent: int) -> list[int]:
    """Processes that `parent` started and that still live."""
    try:
        return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except FileNotFoundError:
        return []


def actors_of(parent: int) -> list[int]:
    """Those of them that play; the other one keeps track of shared memory."""
    return [child for child in children_of(parent) if b"spawn_main" in command_of(child)]


def command_of(process: int) -> bytes:
    """How a process was started; nothing if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def state_of(process: int | None) -> str:
    """One letter: T for a process that is stopped."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_program_ends_whose_actors_were_forgotten(tmp_path: Path) -> None:
    parent = start(tmp_path / "a")
    try:
        _, said = parent.communicate(timeout=WAIT)
    finally:
        parent.kill()
    assert parent.returncode == 0, said.decode()


@LINUX
@pytest.mark.parametrize("stopped", [False, True])
def test_no_process_outlives_a_killed_parent(tmp_path: Path, stopped: bool) -> None:
    with endless(tmp_path / "a") as parent:
        run = tmp_path / "a" / "run"
        wait_for(lambda: (newest := runs.newest(run)) and newest.name > "step-00000003")
        children = children_of(parent.pid)
        assert len(actors_of(parent.pid)) == 1
        if stopped:
            os.kill(actors_of(parent.pid)[0], signal.SIGSTOP)
        parent.kill()
        parent.wait()
        wait_for(lambda: not any(command_of(child) for child in children))
        checkpoint.load(last(run))


HOLDING = """
import subprocess
from games.examples.subtraction import Subtraction


class Holding(Subtraction):
    def __init__(self, generator):
        super().__init__(generator)
        self.helper = subprocess.Popen(["sleep", "1000"])

    def close(self):
        self.helper.kill()
        self.helper.wait()
"""


@LINUX
def test_games_with_processes_of_their_own_let_go_of_them_when_the_learner_is_killed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HOLDING)
    with endless(tmp_path / "a", dataclasses.replace(ENDLESS, game=f"{tmp_path}/mine.py:Holding")) as parent:
        run = tmp_path / "a" / "run"
        wait_for(lambda: (newest := runs.newest(run)) and newest.name > "step-00000003")
        actors = actors_of(parent.pid)
        # A game that takes the place of one that is over may have begun before that one is closed.
        helpers = wait_for(lambda: (found := children_of(actors[0])) and len(found) >= TINY.selfplay.games and found)
        parent.kill()
        parent.wait()
        wait_for(lambda: not any(command_of(process) for process in [*actors, *helpers]))


@LINUX
@pytest.mark.parametrize("number", sorted(processes.STOPS))
def test_a_signal_to_the_whole_group_reaches_actors_that_are_still_starting(
    tmp_path: Path, number: signal.Signals
) -> None:
    """As by Ctrl-C in a terminal, by `timeout`, by a terminal that is closed; an actor in the middle of its imports
    must not die of it."""
    with endless(tmp_path / "a") as parent:
        wait_for(lambda: actors_of(parent.pid))
        os.killpg(parent.pid, number)
        _, said = parent.communicate(timeout=WAIT)
        assert parent.returncode == 130, said.decode()
        assert b"KeyboardInterrupt" not in said
        assert checkpoint.load(last(tmp_path / "a" / "run")).step == 0


@LINUX
def test_deaths_cost_no_step_and_leave_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    """One, and what goes on from it; `make kills` has hundreds of each kind."""
    assert kill_test.main(["--kills", "1", "--deaths", "actor"]) == 0
    assert capfd.readouterr().out.startswith("actor: 1 deaths")


# --- asked to stop ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [
    [signal.SIGHUP, signal.SIGHUP, signal.SIGHUP], [signal.SIGHUP, signal.SIGTERM], [signal.SIGTERM, signal.SIGHUP]])
def test_a_closed_terminal_asks_and_never_grows_impatient(numbers: list[signal.Signals]) -> None:
    interrupt = Interrupt()
    with interrupt.listening():
        for number in numbers:
            signal.raise_signal(number)
            assert interrupt.asked
        if signal.SIGTERM not in numbers:
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_is_to_outlive_its_terminal_does() -> None:
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupt = Interrupt()
        with interrupt.listening():
            signal.raise_signal(signal.SIGHUP)
        assert not interrupt.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, old)
