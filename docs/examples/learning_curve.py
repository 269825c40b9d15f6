"""A learning curve: train Tic-Tac-Toe from nothing and draw what the run wrote down about itself.

    python docs/examples/learning_curve.py          # about a minute on two cores

The picture is `learning_curve.png` in the run's folder. Shows that a run is one folder, that `metrics.jsonl` in it
holds a JSON object a line, and which of its numbers to watch first. Needs matplotlib (the extra `plots`; `make setup`
installs it).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from muzero.cli import main as muzero
from muzero.storage import metrics

CURVES = {
    "loss/total": "total loss",
    "check/value_error@0": "mean error of the value at the root",
    "evaluation/score": "score against perfect play (0.5: all drawn)",
}


def train(run: Path, *options: str) -> None:
    """What `muzero train tic_tac_toe` does in a terminal; a run that is there goes on."""
    code = muzero(["train", "tic_tac_toe", "--out", str(run), "--train.actors", "0", *options])
    if code != 0:
        raise SystemExit(code)


def curve(run: Path, name: str) -> tuple[list[int], list[float]]:
    """Learning steps and values of one number. Matches are rarer than reports: not every line has every number."""
    points = [(record["step"], record[name]) for record in metrics.read(run) if name in record]
    return [step for step, _ in points], [value for _, value in points]


def draw(run: Path, picture: Path) -> None:
    """One panel for each curve, above each other, over the same learning steps."""
    figure, panels = plt.subplots(len(CURVES), 1, sharex=True, figsize=(6, 7))
    for panel, (name, title) in zip(panels, CURVES.items(), strict=True):
        panel.plot(*curve(run, name), marker="." if name.startswith("evaluation") else "")
        panel.set_title(title, loc="left", fontsize=9)
    panels[-1].set_xlabel("learning steps")
    figure.tight_layout()
    figure.savefig(picture)
    plt.close(figure)


def main(run: Path, picture: Path, options: Sequence[str] = ()) -> None:
    train(run, *options)
    draw(run, picture)
    print(f"{picture} shows {run}")


if __name__ == "__main__":
    RUN = Path("checkpoints/runs/learning_curve")
    main(RUN, RUN / "learning_curve.png")
