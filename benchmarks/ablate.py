"""What each setting is worth: Connect Four from nothing, one setting changed at a time, on equal budgets of CPU time.

    python benchmarks/ablate.py OUT [--minutes 10] [--seeds 0 1] [--only NAME ...]

Every run is one process on one thread and counts its own CPU time (`--train.clock cpu`), so that other work on the
machine hardly changes it. What is there already in OUT is kept: a broken-off call goes on where it was. The agents are
measured on the positions with exact values, without search and with two numbers of simulations.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GAME = "connect_four"
POSITIONS = ROOT / "benchmarks" / "data" / "connect_four_positions.csv"
SIMULATIONS = (0, 64, 200)

VARIANTS = {
    "preset": "",
    "no symmetries": "--learner.no-symmetries",
    "no random openings": "--selfplay.opening-fraction 0",
    "all games open at random": "--selfplay.opening-fraction 1",
    "no random moves later": "--selfplay.random-fraction 0",
    "no warm-up on random games": "--selfplay.warmup-positions 0",
    "no reconstruction": "--model.no-reconstruction --learner.reconstruction-weight 0",
    "self-consistency": "--model.consistency --learner.consistency-weight 1",
    "outcomes alone as value targets": "--learner.search-share 0",
    "search values alone as value targets": "--learner.search-share 1",
    "4-step value targets": "--learner.td-steps 4",
    "reanalyse one position for two samples": "--learner.reanalyse-fraction 0.5",
    "32 simulations from the start": "--selfplay.simulations-share 0:1",
    "up to 128 simulations": "--search.simulations 128 --selfplay.simulations-share 0:0.0625,0.2:0.25,0.6:1",
    "half drawn by surprise": "--learner.surprise-share 0.5",
    "a third of the searches full": "--selfplay.full-search-fraction 0.33 --search.simulations 64 "
                                    "--selfplay.simulations-share 0:0.25,0.2:0.5,0.6:1 --learner.policy-weight 2",
    "no noise after 12 moves": "--selfplay.gumbel-moves 12",
    "8 simulations to the end": "--selfplay.simulations-share 0:0.25",
    "unroll 5": "--learner.unroll 5",
    "unroll 1": "--learner.unroll 1",
    "prioritized replay": "--replay.prioritized --replay.window-fraction 1 --replay.capacity 100000",
    "no averaged weights": "--learner.ema 0",
    "replay ratio 2": "--learner.replay-ratio 2",
    "replay ratio 0.5": "--learner.replay-ratio 0.5",
    "pUCT with noise": "--search.algorithm puct --search.dirichlet-fraction 0.25 --search.dirichlet-alpha 1",
}
"""Name -> flags of `muzero train`."""


def environment() -> dict[str, str]:
    """One thread a process, this checkout's code."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def train(out: Path, flags: str, minutes: float, seed: int) -> None:
    """One run, or the rest of it."""
    budget = ["--train.actors", "0", "--train.threads", "1", "--train.clock", "cpu", "--train.minutes", str(minutes)]
    plain = ["--train.evaluate-minutes", "0", "--train.seed", str(seed), "--selfplay.games", "256"]
    command = [sys.executable, "-m", "muzero", "train", GAME, "--out", str(out), *budget, *plain, *flags.split()]
    subprocess.run(command, check=True, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)


def measure(run: Path, target: Path) -> None:
    """Quality on the solved positions into a JSON file."""
    numbers = [str(number) for number in SIMULATIONS]
    command = [sys.executable, "-m", "muzero", "evaluate", str(run), "--positions", str(POSITIONS), "--simulations",
               *numbers, "--json", str(target)]
    subprocess.run(command, check=True, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)


def folder_of(out: Path, variant: str, seed: int) -> Path:
    return out / f"{variant.replace(' ', '-')}-{seed}"


def row(run: Path, target: Path) -> dict[str, float]:
    """The figures of one run."""
    found: dict[str, Any] = json.loads(target.read_text())["positions"]
    wholes = [bands[0] for bands in found.values()]
    figures = {f"critical keep @{n}": one["critical_keep"] for n, one in zip(SIMULATIONS, wholes, strict=True)}
    figures |= {f"perfect @{SIMULATIONS[-1]}": wholes[-1]["perfect"]}
    last = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][-1]
    figures |= {"steps": last["step"], "games": last["run/games"], "recall@3": last["check/recall@3"]}
    return figures


def show(out: Path, seeds: list[int]) -> None:
    """The table of all runs that are measured, as Markdown; means over seeds, +- their standard deviation."""
    names: list[str] = []
    for variant in VARIANTS:
        rows = [row(folder, folder / "positions.json") for seed in seeds
                if (folder := folder_of(out, variant, seed)).joinpath("positions.json").exists()]
        if not rows:
            continue
        if not names:
            names = list(rows[0])
            print("| " + " | ".join(["variant", "runs", *names]) + " |\n" + "|---" * (len(names) + 2) + "|")
        cells = [_cell([one[name] for one in rows]) for name in names]
        print("| " + " | ".join([variant, str(len(rows)), *cells]) + " |", flush=True)


def _cell(values: list[float]) -> str:
    mean = f"{fmean(values):,.1f}" if abs(fmean(values)) < 1000 else f"{fmean(values):,.0f}"
    return mean if len(values) == 1 else f"{mean} +- {stdev(values):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--show", action="store_true", help="only print the table of what is there")
    arguments = parser.parse_args()
    if not arguments.show:
        for seed in arguments.seeds:
            for variant in arguments.only:
                folder = folder_of(arguments.out, variant, seed)
                if not (folder / "positions.json").exists():
                    train(folder, VARIANTS[variant], arguments.minutes, seed)
                    measure(folder, folder / "positions.json")
                    print(variant, seed, row(folder, folder / "positions.json"), file=sys.stderr, flush=True)
    show(arguments.out, arguments.seeds)


if __name__ == "__main__":
    main()
