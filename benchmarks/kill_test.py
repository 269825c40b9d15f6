"""Kills a training run again and again at random moments and compares its end with a run that was left alone.

Each life of the run saves at every step and gets a SIGKILL a random time after its first new checkpoint; the next one
goes on from what is on the disk. At the end all files must be equal, byte for byte.

A run whose actors are processes of their own is no function of its seed: there each death must cost no step that was
saved, and leave no process and no shared memory behind. Its whole group is killed, its learner alone, or one actor:
that one must end the run with exit code 1, in words and saved.

    python benchmarks/kill_test.py
    python benchmarks/kill_test.py --kills 20 --seed 1
    python benchmarks/kill_test.py --deaths group actor learner
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muzero.config import (
    Config,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    SelfPlayConfig,
    TrainConfig,
    replace,
)
from muzero.storage import checkpoint, runs

LONGEST = 0.2
"""Seconds a life may last after its first checkpoint."""
EARLY = 0.2
"""Share of the deaths that come while a run is still starting."""
START = 5.0
"""Seconds a start takes at most."""
PATIENCE = 120.0
"""Seconds after which a life without a checkpoint counts as stuck."""


def settings(kills: int) -> Config:
    """A run long enough for that many lives: each makes a few steps."""
    steps = max(20, 6 * kills)
    return Config(
        game="tic_tac_toe",
        model=ModelConfig(width=16, hidden=16),
        search=SearchConfig(simulations=2),
        selfplay=SelfPlayConfig(games=8, opening_fraction=0.5, opening_plies=3, random_fraction=0.1),
        replay=ReplayConfig(capacity=300, min_positions=60),
        learner=LearnerConfig(batch=((0.0, 16.0),), unroll=2, ema=0.9),
        train=TrainConfig(steps=steps, horizon=steps, actors=0, device="cpu", log_seconds=0.5, checkpoint_seconds=1e6,
                          evaluate_minutes=0.0, publish_steps=3))


def run(config: Config, out: Path) -> None:
    """One life of the run."""
    from muzero.training import loop

    loop.run(config, out)


def live_and_die(context: Any, config: Config, out: Path, delay: float) -> bool:
    """Start a life and kill it `delay` seconds after its first new checkpoint; False if it came to its end."""
    before, deadline = runs.newest(out), time.monotonic() + PATIENCE
    process = context.Process(target=run, args=(config, out))
    process.start()
    while process.is_alive() and runs.newest(out) == before:
        if time.monotonic() > deadline:
            process.kill()
            sys.exit(f"no checkpoint within {PATIENCE:g} s")
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.join()
    return bool(process.exitcode == -signal.SIGKILL)


# --- actors in processes of their own -----------------------------------------------------------------------


@dataclass
class Tally:
    """What a number of deaths came to."""

    deaths: int = 0
    faults: list[str] = field(default_factory=list)
    cpu: float = 0.0
    """Most seconds of CPU that processes of one life took after its death."""


def command(out: Path, steps: int) -> list[str]:
    """The words of a run that saves all the time."""
    return ["train", "tic_tac_toe", "--out", str(out), "--steps", str(steps), "--train.actors", "1",
            "--train.horizon", "1000", "--train.device", "cpu", "--train.checkpoint-seconds", "0.05",
            "--train.evaluate-minutes", "0", "--train.log-seconds", "0.5", "--train.publish-steps", "3",
            "--model.width", "16", "--model.hidden", "16", "--search.simulations", "4", "--selfplay.games", "64",
            "--replay.capacity", "2000", "--replay.min-positions", "200", "--learner.batch", "16"]


def live(words: Sequence[str], said: Path) -> None:
    """One life of a run by command, in a session of its own. What it says goes to a file."""
    from muzero import cli

    os.setsid()
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(cli.main(words))


def members(session: int) -> dict[int, float]:
    """Processes of a session that live, with the seconds of CPU each has taken."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                found[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def actors_of(learner: int) -> list[int]:
    """The processes of a learner that play."""
    found = []
    for child in members(learner):
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def cpu_until_gone(session: int) -> float | None:
    """Seconds of CPU that the processes of a session still took until all had ended; None if some don't end."""
    before, taken, deadline = members(session), 0.0, time.monotonic() + PATIENCE
    while left := members(session):
        taken = max(taken, sum(seconds - before.get(process, 0.0) for process, seconds in left.items()))
        if time.monotonic() > deadline:
            return None
        time.sleep(0.01)
    return taken


def die(death: str, learner: int, rng: random.Random) -> None:
    """Kill a part of a run."""
    if death == "group":
        # It may have no group of its own yet.
        os.killpg(learner, signal.SIGKILL) if os.getpgid(learner) == learner else os.kill(learner, signal.SIGKILL)
    else:
        actors = actors_of(learner)
        os.kill(rng.choice(actors) if death == "actor" else learner, signal.SIGKILL)


def step_of(out: Path) -> int:
    """Learning steps of the newest checkpoint, -1 without one."""
    newest = runs.newest(out)
    return -1 if newest is None else runs.order(newest)[0]


def wait_for_death(process: Any, death: str, out: Path, rng: random.Random) -> bool:
    """Wait until a run is to die: mostly soon after it has learned and saved, else at any moment of its start. False if
    it didn't come so far."""
    if death != "actor" and rng.random() < EARLY:
        time.sleep(rng.uniform(0.0, START))
        return bool(process.is_alive())
    before, deadline = step_of(out), time.monotonic() + PATIENCE
    while process.is_alive() and step_of(out) <= max(0, before) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(rng.uniform(0.0, 2 * LONGEST))
    return bool(process.is_alive()) and step_of(out) > max(0, before)


def one_death(context: Any, death: str, out: Path, rng: random.Random, tally: Tally) -> None:
    """One life of a run with actors, and how it ends."""
    said = out.parent / "said"
    said.touch()
    process = context.Process(target=live, args=(command(out, 10**6), said))
    process.start()
    if not wait_for_death(process, death, out, rng):
        tally.faults.append(f"{death}: no life before it: {said.read_text()[-500:]}")
        process.kill()
        return
    step = step_of(out)
    die(death, process.pid, rng)
    tally.deaths += 1
    process.join(PATIENCE)
    tally.faults += [f"{death}: {fault}" for fault in faults_of(death, process.exitcode, said, out, step)]
    taken = cpu_until_gone(process.pid)
    if taken is None:
        tally.faults.append(f"{death}: processes that don't end: {sorted(members(process.pid))}")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    tally.cpu = max(tally.cpu, taken or 0.0)


def faults_of(death: str, code: int | None, said: Path, out: Path, before: int) -> list[str]:
    """What is wrong after a death. before: the newest step saved while the run lived."""
    expected = 1 if death == "actor" else -signal.SIGKILL
    faults = [] if code == expected else [f"expected exit code {expected}, got {code}"]
    words = said.read_text()
    if death == "actor" and "ended unexpectedly (exit code -9)" not in words:
        faults.append(f"no word of it: {words[-500:]}")
    try:
        if step_of(out) < before:
            faults.append(f"step {before} is lost: {step_of(out)}")
        if (newest := runs.newest(out)) is not None:
            checkpoint.load(newest)
    except checkpoint.CheckpointError as error:
        faults.append(str(error))
    return faults


def shared() -> set[str]:
    """Names of what lies in shared memory."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def with_actors(context: Any, deaths: Sequence[str], kills: int, rng: random.Random) -> int:
    """`kills` of each kind of death, and a last life to its end; the exit code."""
    bad = 0
    for death in deaths:
        tally, before, started = Tally(), shared(), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            for _ in range(kills):
                one_death(context, death, out, rng, tally)
            step = max(0, step_of(out))
            end = context.Process(target=live, args=(command(out, step + 5), Path(folder) / "said"))
            end.start()
            end.join(PATIENCE)
            if end.exitcode != 0 or step_of(out) != step + 5:
                tally.faults.append(f"it can't go on: {(Path(folder) / 'said').read_text()[-500:]}")
            left = sorted(path.name for path in out.rglob(".tmp-*"))
        tally.faults += [f"left behind: {', '.join(names)}" for names in (left, sorted(shared() - before)) if names]
        print(f"{death}: {tally.deaths} deaths in {step:,} steps, {time.monotonic() - started:.0f} s: "
              f"{len(tally.faults)} faults; at most {tally.cpu:.2f} s of CPU after a death", *tally.faults, sep="\n  ")
        bad += len(tally.faults) + kills - tally.deaths
    return 1 if bad else 0


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deaths", nargs="+", choices=["group", "actor", "learner"], default=[],
                        help="what to kill of a run with actors (Linux)")
    options = parser.parse_args(words)
    rng, config, started = random.Random(options.seed), settings(options.kills), time.monotonic()
    context = multiprocessing.get_context("forkserver")
    # The second is what the first optimizer of a process imports.
    context.set_forkserver_preload(["muzero.training.loop", "torch._dynamo"])
    if options.deaths:
        return with_actors(context, options.deaths, options.kills, rng)
    saving = replace(config, {"train.checkpoint_seconds": 0.0})
    killed, damaged = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        whole, out = Path(folder) / "whole", Path(folder) / "killed"
        run(config, whole)
        for _ in range(options.kills):
            killed += live_and_die(context, saving, out, rng.uniform(0.0, LONGEST))
            newest = runs.newest(out)
            try:
                if newest is not None:
                    checkpoint.load(newest)
            except checkpoint.CheckpointError as error:
                damaged += 1
                print(error, file=sys.stderr)
        run(config, out)
        differ = checkpoint.same_content(*(folder for folder in map(runs.newest, (whole, out)) if folder))
    end = f"differs in {', '.join(differ)}" if differ else "equals that of an unkilled run"
    print(f"{killed} kills in {config.train.steps} steps, {time.monotonic() - started:.0f} s: {damaged} damaged "
          f"checkpoints; the end {end}")
    return 1 if differ or damaged else 0


if __name__ == "__main__":
    sys.exit(main())
