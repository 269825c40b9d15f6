"""Strength against simulations and against training time, on positions with exact values, as one picture and one JSON.

    pip install '.[plots]'
    python benchmarks/curves.py --agents MuZero=connect_four --runs MuZero=RUN[,RUN...] AlphaZero=RUN[,RUN...]

`--agents` are searched with up to 1,600 simulations; several of one name are averaged. `--runs` are run folders with
snapshots (`--train.snapshot-minutes`), each measured at one number of simulations; several runs of one name, which
differ in their seed, are one line each. What an earlier call measured is kept in the JSON file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from panels import COLOURS, level, panels, save

import muzero
from muzero.players import SearchPlayer
from muzero.storage import manifest, runs
from muzero.storage.metrics import read as read_metrics
from selfplay.strength.positions import PositionSet, choose, judge, read

ROOT = Path(__file__).resolve().parent.parent
SIMULATIONS = (0, 1, 2, 4, 8, 16, 32, 64, 100, 200, 400, 800, 1600)
ROLLOUTS = {"MCTS 100": 77.2, "MCTS 1,000": 82.2, "MCTS 10,000": 84.9}
"""Critical keep on the Connect Four positions, in percent, of OpenSpiel's MCTS by its rollouts under the true rules."""
MARKS = ("o", "s", "^", "D")


class Measured:
    """Figures by a key, kept in a file after each new one."""

    def __init__(self, path: Path, positions: PositionSet, given: str) -> None:
        """given: what tells these positions from others."""
        self.path, self.positions, self.given = path, positions, given
        self.rows: dict[str, dict[str, float]] = json.loads(path.read_text()) if path.exists() else {}

    def quality(self, agent: Path | str, simulations: int) -> dict[str, float]:
        """Shares in percent of one agent at one number of simulations."""
        key = f"{agent} {digest(runs.resolve(str(agent)) / manifest.NAME)} @{simulations} {self.given}"
        if key not in self.rows:
            player = SearchPlayer(muzero.load_agent(str(agent)), simulations, 0)
            found = judge(self.positions, choose(player, self.positions))[0]
            self.rows[key] = {"critical_keep": found.critical_keep, "keep": found.keep, "perfect": found.perfect}
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
            print(key, self.rows[key], flush=True)
        return self.rows[key]


def digest(path: Path) -> str:
    """The first digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def named(texts: list[str]) -> Iterator[tuple[str, list[str]]]:
    """NAME=PATH[,PATH...] as (name, paths)."""
    for text in texts:
        name, equals, paths = text.partition("=")
        if not equals or not name or not paths:
            raise SystemExit(f"expected NAME=PATH, got {text!r}")
        yield name, paths.split(",")


def snapshots(run: Path) -> Iterator[tuple[float, Path]]:
    """(minutes of training, folder) of a run's snapshots, oldest first, and of its newest checkpoint."""
    times = {line["step"]: line["run/elapsed_s"] / 60 for line in read_metrics(run) if "run/elapsed_s" in line}
    folders = runs.snapshots(run)
    if not folders:
        raise SystemExit(f"{run}: no snapshots; train with --train.snapshot-minutes")
    for folder in [*folders, runs.resolve(str(run))]:
        step, _ = runs.order(folder)
        yield times[min(times, key=lambda logged: abs(logged - step))], folder


def by_simulations(axes: Any, agents: list[str], measured: Measured) -> None:
    for (name, paths), colour, mark in zip(named(agents), COLOURS, MARKS, strict=False):
        values = [fmean(measured.quality(path, count)["critical_keep"] for path in paths) for count in SIMULATIONS]
        axes.plot([max(count, 0.5) for count in SIMULATIONS], values, color=colour, marker=mark, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks([max(count, 0.5) for count in SIMULATIONS], [str(count) for count in SIMULATIONS], rotation=60)
    axes.set_xlabel("simulations a move (0: the network's own choice)")


def by_time(axes: Any, texts: list[str], simulations: int, measured: Measured) -> None:
    for (name, paths), colour, mark in zip(named(texts), COLOURS, MARKS, strict=False):
        for number, path in enumerate(paths):
            rows = [(minutes, measured.quality(folder, simulations)["critical_keep"])
                    for minutes, folder in snapshots(Path(path))]
            label = name if number == 0 else None
            axes.plot(*zip(*rows, strict=True), color=colour, marker=mark, markersize=3, alpha=0.8, label=label)
    axes.set_xlabel(f"minutes of training ({simulations} simulations a move)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", nargs="*", default=[])
    parser.add_argument("--runs", nargs="*", default=[])
    parser.add_argument("--simulations", type=int, default=200, help="for --runs")
    parser.add_argument("--game", default="connect_four")
    parser.add_argument("--positions", type=Path, default=ROOT / "benchmarks" / "data" / "connect_four_positions.csv")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "strength.svg")
    parser.add_argument("--json", type=Path, default=Path("strength.json"), help="figures, kept between calls")
    arguments = parser.parse_args()
    positions = read(arguments.positions, arguments.game)
    measured = Measured(arguments.json, positions, f"{arguments.game} positions {digest(arguments.positions)}")
    draws = [draw for draw in ("agents", "runs") if getattr(arguments, draw)]
    if not draws:
        raise SystemExit("expected --agents or --runs")
    figure, beside = panels(len(draws), (5.5, 4.2))
    for axes, draw in zip(beside, draws, strict=True):
        if draw == "agents":
            by_simulations(axes, arguments.agents, measured)
        else:
            by_time(axes, arguments.runs, arguments.simulations, measured)
        if arguments.game == "connect_four":
            for name, keep in ROLLOUTS.items():
                level(axes, name, keep, "right")
        axes.legend(loc="upper left")
    beside[0].set_ylabel("critical positions whose value is kept, %")
    save(figure, arguments.out)


if __name__ == "__main__":
    main()
