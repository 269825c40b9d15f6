"""Reports of model validation as a picture: errors by depth, and reliability curves."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from games.base import FloatArray
from muzero.reports.model_text import sentence
from muzero.storage import disk
from muzero.validation.calibration import Calibration
from muzero.validation.movers import SOURCES, Source
from muzero.validation.report import DepthReport
from muzero.validation.trust import LEAST_LEGAL, LEAST_SEEN, MOST_KL, drift_bound, so_far
from muzero.validation.validate import ModelReport
from muzero.view.console import CommandError, log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: dict[Source, str] = {"played": "#0072B2", "policy": "#009E73", "random": "#D55E00"}
LABELS: dict[Source, str] = {"played": "search", "policy": "policy", "random": "one random move"}
FEW = 10
"""Predictions in a bin of a reliability curve: of fewer, chance would be drawn."""
BOUND: dict[str, Any] = {"color": "#888", "linestyle": "--", "linewidth": 1}
DASH = 4
"""Length of a dash of one source's bound. Gaps are twice as long, so that equal bounds of three all show."""
PERFECT: dict[str, Any] = {"color": "#000", "linestyle": ":", "linewidth": 1}


@dataclass(frozen=True)
class Curve:
    """A figure by depth."""

    title: str
    figures: Callable[[DepthReport], FloatArray]
    """[T+1]"""
    bound: float | Mapping[Source, float] | None = None
    """beyond it a model isn't trusted: one of all sources, or one of each; None without one"""
    share: bool = False
    """whether it lies between 0 and 1"""


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

    curves = [*_curves(report), *_legality(report)]
    columns = (len(curves) + 2) // 2
    figure = Figure(figsize=(3 * columns, 5.2), layout="constrained")
    panels = iter(figure.subplots(2, columns).flat)
    for curve in curves:
        _by_depth(next(panels), report, curve)
    for panel, depth in zip(panels, (0, report.depth), strict=True):
        _reliability(panel, report, depth)
    figure.suptitle(f"{report.spec.name}: {sentence(report)}", fontsize=10)
    named = [panel.get_legend_handles_labels() for panel in figure.axes]
    handles = {label: handle for found in named for handle, label in zip(*found, strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False)
    held = io.BytesIO()
    figure.savefig(held, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return held.getvalue()


def _curves(report: ModelReport) -> Iterator[Curve]:
    yield Curve("value drift, bounds by colour", lambda found: found.drift,
                {source: drift_bound(figures, report.spec) for source, figures in report.figures.items()})
    yield Curve("KL of the policy, nats", lambda found: found.kl, MOST_KL)
    yield Curve("policy on legal moves", lambda found: found.legal_mass, LEAST_LEGAL, share=True)
    yield Curve("rewards seen so far", lambda found: so_far(found.recall, found.rewards)[0], LEAST_SEEN, share=True)


def _legality(report: ModelReport) -> Iterator[Curve]:
    """Curves of the legality head, if there is one."""
    def of(name: str) -> Callable[[DepthReport], FloatArray]:
        return lambda found: np.asarray(getattr(found.legality, name))

    if report.figures["played"].legality is not None:
        yield Curve("legality head, balanced accuracy", of("balanced"), share=True)
        yield Curve("legal moves that the head masks", of("lost"))


def _by_depth(panel: Axes, report: ModelReport, curve: Curve) -> None:
    for source in SOURCES:
        figures = curve.figures(report.figures[source])
        depth = np.flatnonzero(~np.isnan(figures))
        panel.plot(depth, figures[depth], marker=".", color=COLOURS[source], label=LABELS[source])
    if isinstance(curve.bound, Mapping):
        for place, (source, bound) in enumerate(curve.bound.items()):
            dashes = (place * DASH, (DASH, 2 * DASH))
            panel.axhline(bound, **{**BOUND, "color": COLOURS[source], "linestyle": dashes})
    elif curve.bound is not None:
        panel.axhline(curve.bound, label="bound", **BOUND)
    panel.set_title(curve.title, fontsize=9)
    panel.set_xlabel("moves imagined")
    panel.set_xlim(0, report.depth)
    panel.set_ylim(bottom=0)
    if curve.share:
        panel.set_ylim(0, 1.05)


def _reliability(panel: Axes, report: ModelReport, depth: int) -> None:
    """Predictions against outcomes at a depth, of wins where there are any, else of values."""
    curves = {source: _curve(report, source, depth) for source in SOURCES}
    known = {source: found for source, found in curves.items() if len(found.count)}
    told = [float(end) for found in known.values() for end in (*found.predicted, *found.happened)]
    ends = [0.0, 1.0] if _wins(report) or not told else [min(told), max(told)]
    panel.plot(ends, ends, label="perfect", **PERFECT)
    for source, found in known.items():
        enough = found.count >= FEW
        panel.plot(found.predicted[enough], found.happened[enough], marker=".", color=COLOURS[source])
    if not any((found.count >= FEW).any() for found in known.values()):
        why = "too few games" if known else "no game was seen to end"
        panel.text(0.5, 0.5, why, ha="center", transform=panel.transAxes, backgroundcolor="white")
    what = "win probability" if _wins(report) else "value"
    panel.set_title(f"reliability: {what}, depth {depth}", fontsize=9)
    panel.set_xlabel(f"predicted, bins of {FEW} or more")
    panel.set_ylabel("happened")


def _wins(report: ModelReport) -> bool:
    return any(len(found.count) for source in SOURCES for found in report.figures[source].wins)


def _curve(report: ModelReport, source: Source, depth: int) -> Calibration:
    figures = report.figures[source]
    return figures.wins[depth] if _wins(report) else figures.values[depth]
