"""What the pictures of `benchmarks/` have in common: panels side by side, with colours that all can tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
GREY, DARK = "#777777", "#555555"


def panels(count: int, size: tuple[float, float], shared: bool = True) -> tuple[Any, list[Any]]:
    """A figure, and `count` axes of width and height `size` in inches, with one vertical scale if `shared`."""
    plt.rcParams.update({"svg.hashsalt": "muzero", "font.size": 10, "axes.grid": True, "grid.alpha": 0.3})
    figure, axes = plt.subplots(1, count, figsize=(size[0] * count, size[1]), sharey=shared, squeeze=False)
    return figure, list(axes[0])


def level(axes: Any, name: str, height: float, align: str) -> None:
    """A dotted line with its name at the left or right end."""
    axes.axhline(height, color=GREY, linestyle=":", linewidth=1)
    axes.annotate(name, (0.01 if align == "left" else 0.99, height), xycoords=("axes fraction", "data"), fontsize=7,
                  color=DARK, va="bottom", ha=align)


def save(figure: Any, path: Path) -> None:
    """Write the picture: the same bytes for the same figures."""
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    print(f"wrote {path}")
