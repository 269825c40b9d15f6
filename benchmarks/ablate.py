"""What each setting is worth: Connect Four from nothing, one setting changed at a time, on equal budgets of CPU time.

    python benchmarks/ablate.py OUT [--minutes 10] [--seeds 0 1] [--only NAME ...]

Every run is one process on one thread and counts its own CPU time (`--train.clock cpu`), so that other work on the
machine hardly changes it. What is there already in OUT is kept: a broken-off call goes on where it was. The agents are
measured on positions with exact values, without search and with two numbers of simulations: value error (mean distance
of the root's value from -1, 0 or 1), share of critical positions whose value is kept, and the policy's mass on moves
that keep it. The 500 positions of the package tell agents apart by 3 points of keep at best; a file made by
benchmarks/connect_four_positions.py does so by 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch

import muzero
from games import make
from games.base import FloatArray
from muzero.agent import Agent
from selfplay.strength.positions import POSITIONS_AT_ONCE, PositionSet, place, read

ROOT = Path(__file__).resolve().parent.parent
GAME = "connect_four"
POSITIONS = ROOT / "benchmarks" / "data" / "connect_four_positions.csv"
SIMULATIONS = (0, 64, 200)
MEASURED = "figures.json"

VARIANTS = {
    "preset": "",
    "AdamW": "--learner.optimizer adamw --learner.learning-rate 4e-3",
    "Muon, learning rate 4e-3": "--learner.learning-rate 4e-3",
    "Muon, learning rate 2e-3": "--learner.learning-rate 2e-3",
    "no symmetries": "--learner.no-symmetries",
    "no random openings": "--selfplay.opening-fraction 0",
    "all games open at random": "--selfplay.opening-fraction 1",
    "no random moves later": "--selfplay.random-fraction 0",
    "no warm-up on random games": "--selfplay.warmup-positions 0",
    "no reconstruction": "--model.no-reconstruction --learner.reconstruction-weight 0",
    "self-consistency": "--model.consistency --learner.consistency-weight 1",
    "half outcomes, half search values": "--learner.search-share 0.5",
    "search values alone as value targets": "--learner.search-share 1",
    "4-step value targets": "--learner.td-steps 4",
    "reanalyse one position for two samples": "--learner.reanalyse-fraction 0.5",
    "32 simulations from the start": "--selfplay.simulations-share 0:1",
    "8, 16, then 32 simulations": "--selfplay.simulations-share 0:0.25,0.2:0.5,0.6:1",
    "up to 128 simulations": "--search.simulations 128 --selfplay.simulations-share 0:0.125,0.15:0.25,0.6:1",
    "8 simulations to the end": "--selfplay.simulations-share 0:0.25",
    "4 blocks in h": "--model.representation-blocks 4",
    "2 blocks in g": "--model.dynamics-blocks 2",
    "equal step weights": "--learner.step-weights equal",
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


def measure(run: Path, positions: PositionSet) -> dict[str, float]:
    """Figures of a run's agent on solved positions."""
    torch.set_num_threads(1)
    agent = muzero.load_agent(str(run))
    truth = np.sign(np.nanmax(positions.scores, 1))
    keeping = np.sign(positions.scores) == truth[:, None]
    rows, critical, figures = np.arange(len(positions)), positions.critical, {}
    for count in SIMULATIONS:
        parts = [think(agent, positions.histories[start : start + POSITIONS_AT_ONCE], count)
                 for start in range(0, len(positions), POSITIONS_AT_ONCE)]
        value, policy, moves = (np.concatenate(part) for part in zip(*parts, strict=True))
        figures[f"value error @{count}"] = float(np.abs(value - truth).mean())
        figures[f"critical keep @{count}"] = 100 * float(keeping[rows, moves][critical].mean())
        figures[f"mass @{count}"] = 100 * float((policy * keeping).sum(1)[critical].mean())
    last = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][-1]
    return figures | {"steps": last["step"], "games": last["run/games"]}


def think(agent: Agent, histories: Sequence[tuple[int, ...]], simulations: int) -> tuple[FloatArray, ...]:
    """(values [P], policies [P, A], moves [P]) of the search, or of the network alone for 0 simulations."""
    games = make(GAME, len(histories))
    place(games, histories)
    if simulations:
        found = agent.search(agent.observe(games), games.legal(), simulations=simulations).result
        return found.value, found.policy, found.action
    policy, value = agent.raw(agent.observe(games), games.legal())
    return value, policy, np.where(games.legal(), policy, -1.0).argmax(1)


def folder_of(out: Path, variant: str, seed: int) -> Path:
    return out / f"{variant.replace(' ', '-')}-{seed}"


def row(folder: Path) -> dict[str, float]:
    """The figures of a measured run."""
    found: dict[str, float] = json.loads((folder / MEASURED).read_text())
    return found


def show(out: Path, seeds: list[int]) -> None:
    """The table of all runs that are measured, as Markdown; means over seeds, +- their standard deviation."""
    names: list[str] = []
    for variant in VARIANTS:
        rows = [row(folder) for seed in seeds
                if (folder := folder_of(out, variant, seed)).joinpath(MEASURED).exists()]
        if not rows:
            continue
        if not names:
            names = list(rows[0])
            print("| " + " | ".join(["variant", "runs", *names]) + " |\n" + "|---" * (len(names) + 2) + "|")
        cells = [_cell([one[name] for one in rows]) for name in names]
        print("| " + " | ".join([variant, str(len(rows)), *cells]) + " |", flush=True)


def _cell(values: list[float]) -> str:
    digits = 0 if fmean(values) >= 1000 else 1 if fmean(values) >= 10 else 3
    mean = f"{fmean(values):,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} +- {stdev(values):.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--show", action="store_true", help="only print the table of what is there")
    parser.add_argument("--positions", type=Path, default=POSITIONS, help="what to measure on, solved")
    parser.add_argument("--again", action="store_true", help="measure runs that are measured already")
    arguments = parser.parse_args()
    if not arguments.show:
        positions = read(arguments.positions, GAME)
        for seed in arguments.seeds:
            for variant in arguments.only:
                folder = folder_of(arguments.out, variant, seed)
                measured = (folder / MEASURED).exists()
                if not measured:
                    train(folder, VARIANTS[variant], arguments.minutes, seed)
                if arguments.again or not measured:
                    found = measure(folder, positions)
                    (folder / MEASURED).write_text(json.dumps(found, indent=1) + "\n")
                    print(variant, seed, found, file=sys.stderr, flush=True)
    show(arguments.out, arguments.seeds)


if __name__ == "__main__":
    main()
