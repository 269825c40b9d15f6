"""Training on this commit against training on another: games, simulations and learning steps a second, in one run.

    python benchmarks/versus.py COMMIT [GAME] [--seconds 60] [--rounds 2] [-- SETTINGS ...]

The other commit is checked out and built in a temporary folder. Both train the game from nothing with their own preset,
in turn; rates are means over the second half of each training, from the run's own metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ("games_per_s", "simulations_per_s", "steps_per_s", "learner_wait")


def check_out(commit: str, folder: Path) -> None:
    """A built copy of another commit."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True)


def train(code: Path, out: Path, game: str, seconds: float, settings: list[str]) -> dict[str, float]:
    """Mean rates of the second half of one training."""
    limit = ["--out", str(out), "--minutes", str(seconds / 60)]
    command = [sys.executable, "-m", "muzero", "train", game, *limit, *settings]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    subprocess.run(command, check=True, cwd=code, env=environment, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    late = [line for line in lines if line.get("run/elapsed_s", 0.0) > seconds / 2]
    return {name: statistics.fmean(line[f"run/{name}"] for line in late) for name in FIGURES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("game", nargs="?", default="connect_four")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments, settings = parser.parse_known_args()
    settings = [word for word in settings if word != "--"]
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "other"
        check_out(arguments.commit, other)
        found: dict[str, list[dict[str, float]]] = {"this": [], arguments.commit: []}
        for index in range(arguments.rounds):
            for name, code in ((arguments.commit, other), ("this", ROOT)):
                out = Path(folder) / f"{index}-{name}"
                found[name].append(train(code, out, arguments.game, arguments.seconds, settings))
                print(name, {key: round(value, 2) for key, value in found[name][-1].items()}, flush=True)
    for figure in FIGURES:
        mine, theirs = (statistics.fmean(one[figure] for one in found[name]) for name in ("this", arguments.commit))
        print(f"{figure:18} {theirs:12,.2f} -> {mine:12,.2f}" + (f"  x {mine / theirs:.2f}" if theirs else ""))


if __name__ == "__main__":
    main()
