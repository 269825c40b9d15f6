"""Writes the tables of results into README.md and docs/results/, and draws their curve, from the records there.

    python docs/write_results.py            # writes
    python docs/write_results.py --check    # exit code 1 where a page isn't what it would write
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs/results"
PAGES = (ROOT / "README.md", *sorted(RECORDS.glob("*.md")))
CURVE = ROOT / "docs/images/connect_four_curve.svg"
TABLE = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end -->", re.DOTALL)

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 64, 24, 36, 52
"""Of the curve, in pixels."""
LOW, HIGH = 88, 98
"""Its shares, in percent."""


@dataclass(frozen=True)
class Table:
    """One measured table: what it shows, and what is needed to measure it again."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    seed: str
    commit: str
    commands: tuple[tuple[str, str], ...] = ()
    """each as it is spelled today, with what it costs"""


def read() -> dict[str, Table]:
    """All tables by name. Raises ValueError for a record that lacks something."""
    found: dict[str, Table] = {}
    for path in sorted(RECORDS.glob("*.json")):
        for name, record in json.loads(path.read_text()).items():
            if name in found:
                raise ValueError(f"{path.name}: expected a name of its own, got {name} for a second time")
            found[name] = table(f"{path.name}: {name}", record)
    return found


def table(where: str, record: dict[str, object]) -> Table:
    """One record as a value. Raises ValueError."""
    columns, rows = strings(record["columns"]), tuple(strings(row) for row in lists(record["rows"]))
    commands = tuple((spelled[-1], cost) for cost, *spelled in map(parted, lists(record.get("commands", []))))
    seed, commit = str(record.get("seed", "")), str(record.get("commit", ""))
    if not (seed and commit):
        raise ValueError(f"{where}: expected a seed and a commit, got seed {seed!r} and commit {commit!r}")
    if wrong := [row for row in rows if len(row) != len(columns)]:
        raise ValueError(f"{where}: expected {len(columns)} cells in each row, got {wrong[0]}")
    return Table(columns, rows, seed, commit, commands)


def parted(value: object) -> tuple[str, ...]:
    """A command of a record as its cost, the command as it was run, and today's spelling where that differs.

    Raises ValueError.
    """
    cells = strings(value)
    if len(cells) not in (2, 3):
        raise ValueError(f"expected a command, its cost and perhaps today's spelling, got {cells}")
    run, cost, *today = cells
    return cost, run, *today


def lists(value: object) -> list[object]:
    """`value`, which has to be a list. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError(f"expected a list, got {value!r}")
    return value


def strings(value: object) -> tuple[str, ...]:
    """`value`, which has to be a list of texts. Raises ValueError."""
    cells = lists(value)
    if wrong := [cell for cell in cells if not isinstance(cell, str)]:
        raise ValueError(f"expected texts, got {wrong[0]!r}")
    return tuple(str(cell) for cell in cells)


def markdown(shown: Table) -> str:
    """The commands, where and how it was measured, and the table."""
    lines: list[str] = []
    if shown.commands:
        lines += ["```sh", *(f"# {cost}\n{command}" for command, cost in shown.commands), "```", ""]
        lines += [f"Seed: {shown.seed}. Commit: {shown.commit}.", ""]
    lines += [row(shown.columns), "|" + "---|" * len(shown.columns), *map(row, shown.rows)]
    return "\n".join(lines)


def row(cells: tuple[str, ...]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def written(text: str, tables: dict[str, Table]) -> str:
    """A page with its tables as the records say. Raises KeyError for a table that no record has."""
    return TABLE.sub(lambda at: f"<!-- table: {at[1]} -->\n\n{markdown(tables[at[1]])}\n\n<!-- end -->", text)


def curve(shown: Table) -> str:
    """The first row of a table over its columns as an SVG: one line, its points labelled."""
    minutes, share = [float(cell) for cell in shown.columns[1:]], [float(cell) for cell in shown.rows[0][1:]]
    xs = [LEFT + (WIDTH - LEFT - RIGHT) * minute / max(minutes) for minute in minutes]
    ys = [height(percent) for percent in share]
    return "\n".join([*frame(), *ticks(xs, shown.columns[1:]), *line(xs, ys, shown.rows[0][1:]), "</svg>"]) + "\n"


def height(percent: float) -> float:
    """Where a share stands, in pixels from above."""
    return TOP + (HEIGHT - TOP - BOTTOM) * (HIGH - percent) / (HIGH - LOW)


def frame() -> list[str]:
    """Title, names of the axes, and a rule with its share every two percent."""
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-label="Connect Four: critical positions kept against minutes of training" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">Connect Four: critical positions whose value is kept, '
        '200 simulations</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 12}" text-anchor="middle">'
        'minutes of training on 2 cores</text>',
    ]
    for percent in range(LOW, HIGH + 1, 2):
        y = height(percent)
        out += [f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>',
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>']
    return out


def ticks(xs: list[float], names: tuple[str, ...]) -> list[str]:
    """The minutes below."""
    return [f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{name}</text>'
            for x, name in zip(xs, names, strict=True)]


def line(xs: list[float], ys: list[float], names: tuple[str, ...]) -> list[str]:
    """The line with its points, each with its share above."""
    places = list(zip(xs, ys, strict=True))
    out = [f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in places)}" fill="none" stroke="#1f6feb" '
           'stroke-width="2.5"/>']
    for (x, y), name in zip(places, names, strict=True):
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f6feb"/>',
                f'<text x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">{name}</text>']
    return out


def pages() -> dict[Path, str]:
    """Every file that comes from the records, as it should be."""
    tables = read()
    pages = {path: written(path.read_text(), tables) for path in PAGES}
    return {**pages, CURVE: curve(tables["connect_four_curve"])}


def main(argv: list[str]) -> int:
    """Write, or with --check only compare."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if argv == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the records say: run python docs/write_results.py")
        return 1 if stale else 0
    for path, text in pages().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
