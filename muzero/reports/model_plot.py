"""Reports of model validation as a picture: errors by depth, and reliability curves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muzero.reports.model_text import sentence
from muzero.storage import disk
from muzero.validation.calibration import Calibration
from muzero.validation.movers import SOURCES, Source
from muzero.validation.trust import LEAST_LEGAL, LEAST_SEEN, MOST_DRIFT, MOST_KL, scale, so_far
from muzero.validation.validate import ModelReport
from muzero.view.console import CommandError, log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: dict[Source, str] = {"played": "#0072B2", "policy": "#009E73", "random": "#D55E00"}
LABELS: dict[Source, str] = {"played": "search", "policy": "policy", "random": "one random move"}
FEW = 10
"""Predictions in a bin of a reliability curve: of fewer, chance would be drawn."""
BOUND: dict[str, Any] = {"color": "#888", "linestyle": "--", "linewidth": 1}


def draw(report: ModelReport, path: Path) -> None:
    """Write the picture. Raises CommandError if it can't be written."""
    import matplotlib

    # Equal reports give equal files.
    with matplotlib.rc_context({"svg.hashsalt": "muzero", "svg.fonttype": "none", "font.size": 9,
                                "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Arial"]}):
        data = _drawn(report, path.suffix.lower()[1:])
    try:
        disk.replace_file(path, data)
    except OSError as error:
        raise CommandError(f"--plot {path}: {error.strerror}") from error
    log(f"wrote {path}")


def _drawn(report: ModelReport, kind: str) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.2), layout="constrained")
    panels = iter(figure.subplots(2, 3).flat)
    for name, title, bound in _curves(report):
        _by_depth(next(panels), report, name, title, bound)
    for panel, depth in zip(panels, (0, report.depth), strict=True):
        _reliability(panel, report, depth)
    figure.suptitle(f"{report.spec.name}: {sentence(report)}", fontsize=10)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    held = io.BytesIO()
    figure.savefig(held, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return held.getvalue()


def _curves(report: ModelReport) -> Iterator[tuple[str, str, dict[Source, float]]]:
    """Figures by depth: their names, titles, and their bounds."""
    drift = {source: MOST_DRIFT * scale(report.figures[source], report.spec) for source in SOURCES}
    yield "drift", "value drift", drift
    yield "kl", "KL of the policy, nats", dict.fromkeys(SOURCES, MOST_KL)
    yield "legal_mass", "policy on legal moves", dict.fromkeys(SOURCES, LEAST_LEGAL)
    yield "recall", "rewards seen so far", dict.fromkeys(SOURCES, LEAST_SEEN)


def _by_depth(panel: Axes, report: ModelReport, name: str, title: str, bounds: dict[Source, float]) -> None:
    for source in SOURCES:
        found = report.figures[source]
        figures = so_far(found.recall, found.rewards)[0] if name == "recall" else np.asarray(getattr(found, name))
        depth = np.flatnonzero(~np.isnan(figures))
        panel.plot(depth, figures[depth], marker=".", color=COLOURS[source], label=LABELS[source])
    panel.axhline(min(bounds.values()), label="bound", **BOUND)
    panel.set_title(title, fontsize=9)
    panel.set_xlabel("moves imagined")
    panel.set_xlim(0, report.depth)
    panel.set_ylim(bottom=0)
    if name in ("legal_mass", "recall"):
        panel.set_ylim(0, 1.05)


def _reliability(panel: Axes, report: ModelReport, depth: int) -> None:
    """Predictions against outcomes at a depth, of wins where there are any, else of values."""
    curves = {source: _curve(report, source, depth) for source in SOURCES}
    known = {source: found for source, found in curves.items() if len(found.count)}
    told = [float(end) for found in known.values() for end in (*found.predicted, *found.happened)]
    ends = [0.0, 1.0] if _wins(report) or not told else [min(told), max(told)]
    panel.plot(ends, ends, **{**BOUND, "label": "_"})
    for source, found in known.items():
        enough = found.count >= FEW
        panel.plot(found.predicted[enough], found.happened[enough], marker=".", color=COLOURS[source])
    if not known:
        panel.text(0.5, 0.5, "no game was seen to end", ha="center", transform=panel.transAxes)
    what = "win probability" if _wins(report) else "value"
    panel.set_title(f"reliability: {what}, depth {depth}", fontsize=9)
    panel.set_xlabel("predicted")
    panel.set_ylabel("happened")


def _wins(report: ModelReport) -> bool:
    return any(len(found.count) for source in SOURCES for found in report.figures[source].wins)


def _curve(report: ModelReport, source: Source, depth: int) -> Calibration:
    figures = report.figures[source]
    return figures.wins[depth] if _wins(report) else figures.values[depth]
