"""Kills a training run again and again at random moments and compares its end with a run that was left alone.

Each life of the run saves at every step and gets a SIGKILL a random time after its first new checkpoint; the next one
goes on from what is on the disk. At the end all files must be equal, byte for byte.

    python benchmarks/kill_test.py
    python benchmarks/kill_test.py --kills 20 --seed 1
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from muzero import checkpoint, runs
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

LONGEST = 0.2
"""Seconds a life may last after its first checkpoint."""
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
    from muzero import train

    train.run(config, out)


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, config, started = random.Random(options.seed), settings(options.kills), time.monotonic()
    context = multiprocessing.get_context("forkserver")
    # The second is what the first optimizer of a process imports.
    context.set_forkserver_preload(["muzero.train", "torch._dynamo"])
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
