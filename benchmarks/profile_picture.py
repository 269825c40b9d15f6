"""Draws where the time goes, from the JSON of `muzero bench`: a self-play move, a learning step, the tree by itself.

    muzero bench selfplay connect_four --json selfplay.json
    muzero bench learn connect_four --json learn.json
    muzero bench search --json search.json
    python benchmarks/profile_picture.py selfplay.json learn.json search.json --out docs/images/performance_cpu.svg

Of self-play the fastest row of each device is drawn. Every bar of the first two groups is one whole move or step: its
parts are shares of the time at its end, which is CPU time on a CPU and wall clock on a GPU.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH = 980
LEFT, RIGHT = 225, 190  # room for the names of bars and for what stands behind them
BAR, GAP = 26, 12
NARROW = 34  # pixels below which a part's share is not written into it
FONT = "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\""
# Okabe and Ito 2008: told apart by all kinds of colour vision; with the colour of the text on it.
COLOURS = {
    "network": ("#0072B2", "#fff"), "tree": ("#E69F00", "#000"), "copies": ("#56B4E9", "#000"),
    "games": ("#009E73", "#fff"), "recording": ("#CC79A7", "#000"), "other": ("#999999", "#000"),
    "draw": ("#E69F00", "#000"), "forward": ("#0072B2", "#fff"), "backward": ("#56B4E9", "#000"),
    "update": ("#CC79A7", "#000"), "step": ("#0072B2", "#fff"), "gumbel": ("#0072B2", "#fff"),
    "puct": ("#E69F00", "#000"),
}


@dataclass(frozen=True)
class Bar:
    """One line of a group."""

    name: str
    parts: dict[str, float]  # lengths as shares of the widest bar possible
    end: str  # written behind it
    labels: bool = True  # shares are written into the parts


@dataclass(frozen=True)
class Group:
    """Bars under one heading."""

    title: str
    bars: tuple[Bar, ...]

    @property
    def legend(self) -> list[str]:
        """Names of parts, in the order they come."""
        return list(dict.fromkeys(name for bar in self.bars for name in bar.parts))


def rate(row: dict[str, Any], work: str) -> float:
    """Work a second of CPU time on a CPU, of wall clock on a GPU."""
    return float(row[f"{work}_per_cpu_second" if row["device"] == "cpu" else f"{work}_per_second"])


def milliseconds(row: dict[str, Any], work: str) -> str:
    """Time of one move or step, by the same clock."""
    on_cpu = row["device"] == "cpu"
    amount = row[f"{work}_milliseconds"] * (row["cpu_seconds"] / row["seconds"] if on_cpu else 1.0)
    return f"{amount:.1f} ms{' CPU' if on_cpu else ''}"


def selfplay(data: dict[str, Any]) -> list[Bar]:
    """The fastest row of each device."""
    bars = []
    for device in dict.fromkeys(row["device"] for row in data["rows"]):
        best = max((row for row in data["rows"] if row["device"] == device), key=lambda row: rate(row, "simulations"))
        name = f"{data['game']}, {device}, {best['games']} games"
        end = f"{milliseconds(best, 'move')}, {rate(best, 'simulations') / 1e3:,.0f} k sims/s"
        bars.append(Bar(name, best["shares"], end))
    return bars


def learn(data: dict[str, Any]) -> list[Bar]:
    """Every row."""
    return [Bar(f"{data['game']}, {row['device']}, batch {row['batch']}", row["shares"],
                f"{milliseconds(row, 'step')}, {rate(row, 'steps'):,.0f} steps/s") for row in data["rows"]]


def search(data: dict[str, Any]) -> list[Bar]:
    """Rates with one thread, as shares of the best."""
    rows = [row for row in data["rows"] if row["threads"] == 1]
    best = max((row["simulations_per_cpu_second"] for row in rows), default=1.0)
    return [Bar(f"{row['trees']} tree{'s' * (row['trees'] > 1)}, {row['simulations']} sims, {row['actions']} moves",
                {row["algorithm"]: row["simulations_per_cpu_second"] / best},
                f"{row['simulations_per_cpu_second'] / 1e6:.2f} M sims/CPU s", labels=False) for row in rows]


GROUPS = {
    "selfplay": ("Self-play: one move of all games of one actor", selfplay),
    "learn": ("Learning: one step", learn),
    "search": ("The tree alone: simulations per second of one core", search),
}


def groups(files: Sequence[dict[str, Any]]) -> list[Group]:
    """One group for each kind of measurement that there is."""
    found = []
    for kind, (title, bars_of) in GROUPS.items():
        bars = [bar for data in files if data["bench"] == kind for bar in bars_of(data)]
        if bars:
            found.append(Group(title, tuple(bars)))
    return found


def text(x: float, y: float, words: str, size: int = 13, colour: str = "#222", anchor: str = "start",
         weight: str = "normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def draw_bar(bar: Bar, top: float) -> list[str]:
    """Name, parts, and what stands behind them."""
    middle, x, full = top + BAR / 2 + 4.5, float(LEFT), WIDTH - LEFT - RIGHT
    drawn = [text(LEFT - 10, middle, bar.name, anchor="end")]
    for name, share in bar.parts.items():
        width, (colour, ink) = share * full, COLOURS[name]
        drawn.append(rectangle(x, top, width, BAR, colour))
        if bar.labels and width >= NARROW:
            drawn.append(text(x + width / 2, middle, f"{100 * share:.0f} %", 12, ink, "middle"))
        x += width
    return [*drawn, text((LEFT + full if bar.labels else x) + 8, middle, bar.end, 12)]


def draw_group(group: Group, top: float) -> tuple[list[str], float]:
    """Heading with legend, then the bars; and where they end."""
    drawn = [text(20, top + 16, group.title, 15, weight="bold")]
    x = 20.0
    for name in group.legend:
        drawn += [rectangle(x, top + 28, 12, 12, COLOURS[name][0]), text(x + 17, top + 39, name, 12)]
        x += 17 + 7.5 * len(name) + 22
    top += 54
    for bar in group.bars:
        drawn += draw_bar(bar, top)
        top += BAR + GAP
    return drawn, top + 18


def picture(files: Sequence[dict[str, Any]]) -> str:
    """The whole SVG."""
    machine, versions = files[0]["hardware"], files[0]["versions"]
    digits, plus, changes = files[0]["commit"].partition("+")
    under = (f"{machine['processor']}, {machine['cores']} cores; GPU: {machine['gpu'] or 'none'}; "
             f"torch {versions['torch']}; commit {digits[:12]}{plus}{changes}; {files[0]['time'][:10]}")
    drawn, top = [text(20, 34, "Where the time goes", 20, weight="bold"), text(20, 56, under, 12, "#555")], 78.0
    for group in groups(files):
        more, top = draw_group(group, top)
        drawn += more
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" width="{WIDTH}" height="{top:.0f}" '
        f'role="img" aria-label="Where the time of self-play and learning goes" {FONT}>',
        rectangle(0, 0, WIDTH, top, "#ffffff"), *drawn, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="JSON of muzero bench selfplay, learn and search")
    parser.add_argument("--out", type=Path, required=True, help="the SVG to write")
    arguments = parser.parse_args()
    files = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.files]
    if not groups(files):
        parser.error("none of these files has rows of muzero bench selfplay, learn or search")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(picture(files), encoding="utf-8")


if __name__ == "__main__":
    main()
