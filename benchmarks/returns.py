"""Returns of training games against positions played, as one picture.

    pip install '.[plots]'
    python benchmarks/returns.py RUN [RUN ...] --out docs/images/atari.svg

Each game has a panel, each run of it, which differ in their seed, a line. What is drawn is
`run/mean_return`: the mean of the newest games as they were played for training, random moves and noise included, with
whole episodes and raw rewards. The lines of random play and of a human are those of `games/atari.csv`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from panels import COLOURS, level, panels, save

from games.atari_protocol import atari_facts, is_atari
from muzero.storage import checkpoint, runs
from muzero.storage.metrics import read as read_metrics


def curve(run: Path) -> list[tuple[float, float]]:
    """(thousand positions, mean return) of a run's reports."""
    lines = [line for line in read_metrics(run) if "run/mean_return" in line]
    if not lines:
        raise SystemExit(f"{run}: expected a run of a one-player game, got no returns in its metrics")
    return [(line["run/positions"] / 1e3, line["run/mean_return"]) for line in lines]


def panel(axes: Any, game: str, seeds: dict[int, Path]) -> None:
    """Learning curves of runs of one game."""
    for (seed, path), colour in zip(seeds.items(), COLOURS, strict=False):
        axes.plot(*zip(*curve(path), strict=True), color=colour, linewidth=1.2, label=f"seed {seed}")
    axes.legend(frameon=False)
    if is_atari(game):
        rom = atari_facts(game).rom
        for name, score in (("random play", rom.random), ("human", rom.human)):
            if score is not None:
                level(axes, name, score, "left")
    axes.set_title(game)
    axes.set_xlabel("thousand positions (4 frames each)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found: dict[str, dict[int, Path]] = {}
    for path in arguments.runs:
        config = checkpoint.read_config(runs.resolve(str(path)))
        found.setdefault(config.game, {})[config.train.seed] = path
    figure, axes = panels(len(found), (4.6, 3.6), shared=False)
    for axis, (game, seeds) in zip(axes, found.items(), strict=True):
        panel(axis, game, seeds)
    axes[0].set_ylabel("mean return of training games")
    save(figure, arguments.out)


if __name__ == "__main__":
    main()
