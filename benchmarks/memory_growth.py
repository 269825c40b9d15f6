"""How much resident memory a training and its actors gain in an hour once the replay is full, seen from outside.

A short replay fills early; from then on, and from its first match on, a run holds all it needs: what grows is lost.
Resident memory is read from /proc (Linux). Growth is given by the line of least squares through all samples, and by its
ends: the mean of the last tenth less that of the first. The batch has one size: where it grows on the way, as Connect
Four's does at 15 and 50 % of the training, its working memory takes a step each time that is no loss.

    python benchmarks/memory_growth.py tic_tac_toe
    python benchmarks/memory_growth.py connect_four --minutes 30 --samples growth.csv
    python benchmarks/memory_growth.py tic_tac_toe -- --train.evaluate-minutes 0
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EVERY = 2.0
"""Seconds between two samples."""
SETTLING = 60.0
"""Seconds that don't count after the replay is full and a first match was played, which loads what it needs."""


@dataclass(frozen=True)
class Sample:
    """Memory of one process at one moment."""

    seconds: float
    """since the run was started"""
    who: str
    rss: float
    """resident, MB"""
    own: float
    """the anonymous part of it, MB: what the process has written itself"""


def memory_of(process: int) -> tuple[float, float] | None:
    """Resident and anonymous MB of a process, None if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return kb["Rss"] * 1024 / 1e6, kb["Anonymous"] * 1024 / 1e6


def processes_of(learner: int) -> dict[str, int]:
    """The learner and its actors by name."""
    children = [int(word) for word in Path(f"/proc/{learner}/task/{learner}/children").read_text().split()]
    actors = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return {"learner": learner, **{f"actor {index}": actor for index, actor in enumerate(actors)}}


def settled(out: Path, capacity: int) -> bool:
    """True once the run has reported a full replay and a match."""
    path = out / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    records = [json.loads(line) for line in lines]
    full = any(record.get("run/replay_positions", 0) >= capacity for record in records)
    return full and any(name.startswith("evaluation/") for record in records for name in record)


def watch(training: subprocess.Popen[bytes], out: Path, capacity: int) -> tuple[list[Sample], float]:
    """All samples of a training until it ends, and the second in which it had all it needs."""
    samples: list[Sample] = []
    began, filled = time.monotonic(), float("inf")
    while training.poll() is None:
        now = time.monotonic() - began
        if filled == float("inf") and settled(out, capacity):
            filled = now
        for who, process in processes_of(training.pid).items():
            if (found := memory_of(process)) is not None:
                samples.append(Sample(now, who, *found))
        time.sleep(EVERY)
    return samples, filled


def growth(seconds: list[float], values: list[float]) -> tuple[float, float, float]:
    """MB an hour by least squares, MB an hour by the ends, and the largest step between two samples, MB."""
    x, y = np.array(seconds), np.array(values)
    end = max(1, len(x) // 10)
    between = (x[-end:].mean() - x[:end].mean()) / 3600.0
    slope = np.polyfit(x / 3600.0, y, 1)[0]
    return float(slope), float((y[-end:].mean() - y[:end].mean()) / between), float(np.abs(np.diff(y)).max())


def report(samples: list[Sample], since: float) -> None:
    """A line for each process and kind of memory."""
    print("process   memory      from MB    to MB  MB/h line  MB/h ends  largest step MB")
    for who in sorted({sample.who for sample in samples}, reverse=True):
        found = [sample for sample in samples if sample.who == who and sample.seconds >= since]
        for kind in ("rss", "own"):
            values = [float(getattr(sample, kind)) for sample in found]
            line, ends, step = growth([sample.seconds for sample in found], values)
            print(f"{who:9} {kind:9} {values[0]:9.1f}{values[-1]:9.1f}{line:11.2f}{ends:11.2f}{step:17.2f}")


def write(path: Path, samples: list[Sample]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["seconds", "who", "rss_mb", "own_mb"])
        table.writerows([f"{s.seconds:.1f}", s.who, f"{s.rss:.3f}", f"{s.own:.3f}"] for s in samples)


def before(words: list[str]) -> list[str]:
    """Those before `--`."""
    return words[: words.index("--")] if "--" in words else words


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="What follows -- are more options of `muzero train`.")
    parser.add_argument("game")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--capacity", type=int, default=10_000, help="positions in the replay")
    parser.add_argument("--actors", type=int, default=1)
    parser.add_argument("--samples", type=Path, help="write all samples to this CSV file")
    own = before(sys.argv[1:])
    asked, options = parser.parse_args(own), sys.argv[2 + len(own) :]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        words = [sys.executable, "-m", "muzero", "train", asked.game, "--out", str(out), "--minutes",
                 str(asked.minutes), "--replay.capacity", str(asked.capacity), "--replay.min-positions",
                 str(asked.capacity // 4), "--selfplay.warmup-positions", str(asked.capacity // 4), "--selfplay.games",
                 "256", "--train.actors", str(asked.actors), "--train.device", "cpu", "--learner.batch", "256",
                 *options]
        training = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            samples, filled = watch(training, out, asked.capacity)
        finally:
            training.terminate()
            training.wait()
        last = json.loads((out / "metrics.jsonl").read_bytes().splitlines()[-1])
    if asked.samples:
        write(asked.samples, samples)
    if filled + SETTLING >= samples[-1].seconds:
        print("no full replay and no match in time: more --minutes, or less --capacity", file=sys.stderr)
        return 1
    print(f"{asked.game}: {last['step']:,} steps in {asked.minutes:g} minutes; full and evaluated after {filled:.0f} s")
    report(samples, filled + SETTLING)
    return training.returncode


if __name__ == "__main__":
    sys.exit(main())
