"""Live display of a training run: a panel in a terminal, occasional lines anywhere else.

Training never waits for output: a separate thread draws the panel, and a line that would block is skipped.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from games.own_names import short_name
from muzero.view.progress import ENDED, LAST_EVALUATION, RANDOM_PLAY, RESTING
from muzero.view.terminal import bar, control_keys_unechoed, duration, quantity, redraws, takes_more, unicode_ok
from muzero.view.wrapping import fit

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from muzero.view.progress import Progress

PLAIN_SECONDS = 10.0
"""Seconds between lines without a panel."""
HISTORY = 40
"""Number of reports in the small curve of the loss."""
WIDTH = 100
"""Most columns of the panel."""
BAR = 30
"""Characters."""
NAMES = 17
"""Columns for the names on the left, so that the panel doesn't shift with the status."""
SPARKS = "▁▂▃▄▅▆▇█"
UNKNOWN = "-"
"""Shown for an undefined number, such as the recall of rewards in a batch without any."""
ESTIMATE_SECONDS, ESTIMATE_SHARE = 30.0, 0.02
"""Training before the time left is estimated: at first, games are played and nothing is learned."""


class Display:
    """Shows the reports of one run. Use it in a `with` block: the panel must be closed however the run ends."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._live: Live | None = None
        self._unechoed = contextlib.ExitStack()
        self._panel: RenderableType = ""
        self._losses: deque[float] = deque(maxlen=HISTORY)
        self._learned = -1
        """Learning step of the newest loss: a report without a new step has no new loss"""
        self._last_line = -PLAIN_SECONDS
        self._status = ""
        self._off = False
        self.newest: Progress | None = None
        """The last report"""

    def __enter__(self) -> Display:
        if redraws(self._stream) and unicode_ok(self._stream):
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream)
            self._live = Live(console=console, refresh_per_second=4, transient=False,
                              get_renderable=lambda: self._panel)
            with contextlib.ExitStack() as opened:
                opened.enter_context(control_keys_unechoed(self._stream))
                self._live.start()
                self._unechoed = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with self._unechoed, self._nobody_may_look():
                self._live.stop()

    @contextlib.contextmanager
    def _nobody_may_look(self) -> Iterator[None]:
        """A broken terminal ends the display, never the training."""
        try:
            yield
        except OSError:
            self._off = True

    def show(self, progress: Progress) -> None:
        """Show a report. Plain lines appear at most every `PLAIN_SECONDS`, or when the status changes."""
        self.newest = progress
        if not self._off:
            with self._nobody_may_look():
                self._show(progress)

    def _show(self, progress: Progress) -> None:
        if "total" in progress.losses and progress.step > self._learned:
            self._losses.append(progress.losses["total"])
            self._learned = progress.step
        if self._live is not None:
            # Don't call `Live` here: it holds its lock while writing to a blocked terminal.
            self._panel = panel(progress, list(self._losses), self._live.console.width)
            return
        now = self._clock()
        if not takes_more(self._stream):
            return
        if now - self._last_line >= PLAIN_SECONDS or progress.status != self._status:
            self._last_line, self._status = now, progress.status
            print(fit(line(progress), self._stream), file=self._stream, flush=True)


def line(progress: Progress) -> str:
    """One report as one line without control codes."""
    parts = [
        f"{short_name(progress.game)}: {progress.status}"
        + (f": {_random_play(progress)}" if _warms_up(progress) else ""),
        f"step {_of(progress.step, progress.steps_limit)} ({_share_done(progress):.0%})",
        _times(progress),
        _games(progress) + ("" if progress.status in RESTING else
                                       f" ({progress.games_per_s:.0f}/s, "
                                       f"{quantity(progress.simulations_per_s)} simulations/s)"),
        f"replay {progress.replay_positions:,}/{progress.replay_capacity:,}, {_ratio(progress)}",
    ]
    parts += [f"{_of(progress.positions, progress.positions_limit)} positions"] if progress.positions_limit else []
    parts += [f"mean return {progress.mean_return:.5g}"] if not math.isnan(progress.mean_return) else []
    parts += [f"loss {_figures(progress.losses)}"] if progress.losses else []
    for name, found in by_step(progress.checks).items():
        parts.append(f"{name} {'/'.join(map(_known, found))}")
    parts += [f"model {progress.trust}"] if progress.trust else []
    parts += [progress.evaluation] if progress.evaluation else []
    parts += [f"warning: {warning}" for warning in progress.warnings]
    return " | ".join(parts)


def panel(progress: Progress, losses: list[float], width: int = WIDTH) -> RenderableType:
    """One report as a rich panel. `losses`: total losses of the last reports, oldest first."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True, min_width=NAMES)
    grid.add_column(ratio=1)
    for name, content in _rows(progress, losses):
        grid.add_row(name, Text.from_markup(content, emoji=False))
    return Panel(
        grid,
        title=f"[bold]muzero[/] {_escape(short_name(progress.game))}",
        subtitle=_escape(progress.run) + ("" if progress.status in ENDED else " · Ctrl-C saves and stops"),
        border_style="blue",
        width=min(width, WIDTH),
    )


def _rows(progress: Progress, losses: list[float]) -> list[tuple[str, str]]:
    fill = progress.replay_positions / max(1, progress.replay_capacity)
    done = _share_done(progress)
    learning, playing = f"step {_of(progress.step, progress.steps_limit)}", _games(progress)
    if not math.isnan(progress.mean_return):
        playing += f"   mean return {progress.mean_return:.5g}"
    if progress.status not in RESTING:
        learning += f"   {progress.steps_per_s:.1f} steps/s   waits {progress.learner_wait:.0%} for games, "
        learning += f"{progress.data_wait:.0%} for data"
        playing += (f"   {progress.games_per_s:.1f} games/s   "
                    f"{quantity(progress.simulations_per_s)} simulations/s")
    rows = [
        (progress.status, f"[green]{bar(done, BAR)}[/] {done:.0%}  {_times(progress)}"),
        *([("", f"{_random_play(progress)}, then searches begin")] if _warms_up(progress) else []),
        ("learning", learning),
        ("self-play", playing),
        ("replay", f"[blue]{bar(fill, BAR)}[/] {progress.replay_positions:,} of "
                   f"{progress.replay_capacity:,} positions"),
        ("", _ratio(progress)),
    ]
    if progress.positions_limit:
        rows.append(("positions", f"{_of(progress.positions, progress.positions_limit)} played"))
    if progress.losses:
        rows.append(("loss", f"[yellow]{sparkline(losses)}[/]"))
        rows.append(("", _figures(progress.losses)))
    rows += [(name, _check(found)) for name, found in by_step(progress.checks).items()]
    rows += [("model", _escape(progress.trust))] if progress.trust else []
    rows += [("evaluation", _escape(progress.evaluation))] if progress.evaluation else []
    rows += [("[bold red]warning[/]", f"[red]{_escape(warning)}[/]") for warning in progress.warnings]
    return rows


def _games(progress: Progress) -> str:
    """Number of finished games, and how many of them were cut off."""
    return f"{progress.games:,} games" + (f" ({progress.cut:,} of them cut off)" if progress.cut else "")


def _warms_up(progress: Progress) -> bool:
    return progress.status == RANDOM_PLAY


def _random_play(progress: Progress) -> str:
    """Progress of the random play."""
    return f"{progress.positions:,} of {progress.warmup_positions:,} positions"


def sparkline(values: list[float]) -> str:
    """A curve of one character per value, scaled between the smallest and largest; `?` for NaN."""
    finite = [value for value in values if abs(value) < float("inf")]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((v - low) * scale)] if abs(v) < float("inf") else "?" for v in values)


def _times(progress: Progress) -> str:
    seconds = _left(progress)
    left = f", {duration(seconds)} left" if seconds > 0 else ""
    return f"{duration(progress.elapsed_s)} done{left}" + (" (CPU time)" if progress.clock == "cpu" else "")


def _left(progress: Progress) -> float:
    """Seconds left; only by the time limit, or 0, while it is too early to estimate how long steps take."""
    if progress.status == LAST_EVALUATION:
        return 0.0
    if progress.elapsed_s >= ESTIMATE_SECONDS and _share_done(progress) >= ESTIMATE_SHARE:
        return progress.eta_s
    return 0.0 if progress.status in ENDED else max(0.0, 60 * progress.minutes_limit - progress.elapsed_s)


def _known(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.3g}"


def _of(count: int, limit: int) -> str:
    return f"{count:,} of {limit:,}" if limit else f"{count:,}"


def _ratio(progress: Progress) -> str:
    return (f"each position drawn {progress.replay_ratio:.2f} times "
            f"(set: {progress.replay_ratio_wanted:.2f})")


def _share_done(progress: Progress) -> float:
    """Progress towards the limit, in [0, 1]; without a limit, the progress of schedules."""
    shares = [progress.step / progress.steps_limit] if progress.steps_limit else []
    shares += [progress.elapsed_s / (60 * progress.minutes_limit)] if progress.minutes_limit else []
    return min(1.0, max(shares, default=progress.progress))


def by_step(checks: Mapping[str, float]) -> dict[str, list[float]]:
    """Groups `recall@1`, `recall@2`, ... (one check per unroll step) under `recall`."""
    grouped: dict[str, list[float]] = {}
    for name, value in checks.items():
        grouped.setdefault(name.partition("@")[0].replace("_", " "), []).append(value)
    return grouped


def _figures(values: Mapping[str, float]) -> str:
    """Losses. A policy loss of exactly 0 had no targets: no sampled position was searched."""
    shown = {name: f"{value:.4g}" for name, value in values.items()}
    if values.get("policy") == 0:
        shown["policy"] = UNKNOWN
    return "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


def _check(values: list[float]) -> str:
    """The numbers, with a bar for the last one if it is in [0, 1]."""
    numbers = "  ".join(map(_known, values))
    return f"[magenta]{bar(values[-1], BAR)}[/] {numbers}" if 0 <= values[-1] <= 1 else numbers


def _escape(text: str) -> str:
    from rich.markup import escape

    return str(escape(text))
