"""Reports of model validation as text: one sentence, and a table by depth for each source of actions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from games.base import MaskArray
from games.own_names import short_name
from muzero.validation.calibration import Calibration
from muzero.validation.movers import SOURCES, TITLES, Source
from muzero.validation.report import DepthReport
from muzero.validation.trust import (
    LEAST,
    LEAST_LEGAL,
    LEAST_SEEN,
    MOST_FALSE,
    MOST_KL,
    Trust,
    beyond,
    drift_bound,
    so_far,
    unjudged,
)
from muzero.validation.validate import ModelReport
from muzero.view.terminal import amount, counted, table

AFTER: dict[Source, str] = {"played": "", "policy": "", "random": " after a random move"}
FAULTS = {
    "value": "its values drift", "policy": "its policy is another one", "legality": "it expects illegal moves",
    "rewards": "it is wrong about rewards", "ends": "it is wrong about the end of games"}


@dataclass(frozen=True)
class Column:
    """A column of the tables."""

    name: str
    about: str
    cell: Callable[[DepthReport, int], str]
    figure: str = ""
    """of a DepthReport, if it is judged"""
    seldom: bool = False
    """whether it is shown only if it is out of bounds somewhere"""


@dataclass(frozen=True)
class Part:
    """The figures of one source of actions."""

    figures: DepthReport
    beyond: Mapping[str, MaskArray]
    """by figure, the depths at which it is out of bounds"""

    def cells(self, column: Column) -> list[str]:
        """A column's numbers by depth; behind those that are out of bounds stands a mark."""
        found = [column.cell(self.figures, depth) for depth in range(len(self.figures.positions))]
        return [cell + mark for cell, mark in zip(found, self.marks(column), strict=True)]

    def marks(self, column: Column) -> list[str]:
        """Behind each number of a column: nothing at all if none is out of bounds."""
        wrong = self.beyond.get(column.figure)
        if wrong is None or not wrong.any():
            return [""] * len(self.figures.positions)
        return [MARK if out else " " for out in wrong]


def _number(name: str) -> Callable[[DepthReport, int], str]:
    return lambda report, depth: _told(float(getattr(report, name)[depth]), 3)


def _percent(name: str) -> Callable[[DepthReport, int], str]:
    return lambda report, depth: _told(100.0 * float(getattr(report, name)[depth]), 1)


def _so_far(name: str, events: str, unit: float, decimals: int) -> Callable[[DepthReport, int], str]:
    """A mean over all events up to a depth, as it is judged."""
    return lambda report, depth: _told(
        unit * float(so_far(getattr(report, name), getattr(report, events))[0][depth]), decimals)


def _of_head(name: str) -> Callable[[DepthReport, int], str]:
    return lambda report, depth: "" if report.legality is None else _told(
        100.0 * float(getattr(report.legality, name)[depth]), 1)


def _told(number: float, decimals: int) -> str:
    return "" if math.isnan(number) else f"{number:.{decimals}f}"


COLUMNS = (
    Column("depth", "moves imagined", lambda _, depth: str(depth)),
    Column("games", "in which so many moves were made", lambda report, depth: f"{report.positions[depth]:,}"),
    Column("drift", "mean |value - the network's value of the real position|", _number("drift"), "drift"),
    Column("result", "mean |value - what the game brought|", _number("value_error")),
    Column("exact", "mean |value - value under perfect play|", _number("truth_error")),
    Column("KL", f"of the policy from that of the real position, in nats (at most {MOST_KL:g})", _number("kl"), "kl"),
    Column("legal", f"% of the policy on legal moves (at least {100 * LEAST_LEGAL:g})", _percent("legal_mass"),
           "legal_mass"),
    Column("head", "% balanced accuracy of the legality head", _of_head("balanced")),
    Column("lost", "% of legal moves that it takes for illegal ones", _of_head("lost")),
    Column("rewards", f"% seen so far: right sign, at least half the size (at least {100 * LEAST_SEEN:g})",
           _so_far("recall", "rewards", 100.0, 1), "recall"),
    Column("unpaid", f"% of moves without a reward for which one is predicted (at most {100 * MOST_FALSE:g})",
           _percent("false_rewards"), "false_rewards", seldom=True),
    Column("ends", f"% seen so far (at least {100 * LEAST_SEEN:g})", _so_far("ends_seen", "ends", 100.0, 1),
           "ends_seen"),
    Column("early", f"% of moves within games taken for their end (at most {100 * MOST_FALSE:g})",
           _percent("false_ends"), "false_ends", seldom=True),
    Column("past", "mean |value| one move past the ends so far, where nothing is to come",
           _so_far("after_end", "ends", 1.0, 3), "after_end"),
    Column("ECE", "calibration error of the value: 0 if it is right on average", lambda report, depth: _told(
        report.values[depth].error, 3)),
)
WIDEST = 80
"""Characters of a line where there is no terminal."""
MARK = "*"
"""Behind a figure that is out of bounds."""


def text(report: ModelReport, width: int = WIDEST) -> str:
    """The whole report, its tables at most `width` columns wide."""
    head = (f"{short_name(report.spec.name)}: the model of {report.agent}, step {report.step:,}, "
            f"{counted(report.positions, 'position')} each, seed {report.seed}")
    parts = [head, "", sentence(report), *_unjudged(report)]
    for source in SOURCES:
        part = _part(report, source)
        parts += ["", *_heading(report, source, width), *_tables(part, _known([part]), width),
                  *_win(part.figures.wins)]
    return "\n".join([*parts, "", *_legend(report), "", sentence(report)])


def _part(report: ModelReport, source: Source) -> Part:
    figures = report.figures[source]
    return Part(figures, beyond(figures, report.spec))


def _heading(report: ModelReport, source: Source, width: int) -> list[str]:
    """How good the model is with one source of actions, and by which bound its drift is judged."""
    trust, lines = report.trust[source], [f"{TITLES[source]}: {verdict(report.trust[source])}"]
    few = [f"at {trust.measured + 1} there are fewer than {LEAST} games"]
    bound = f"drift bound {amount(drift_bound(report.figures[source], report.spec), 3)}"
    for clause in (*(few if not trust.wrong and trust.measured < report.depth else ()), bound):
        if len(joined := f"{lines[-1]}; {clause}") <= width:
            lines[-1] = joined
        else:
            lines.append(f"  {clause}")
    return lines


def sentence(report: ModelReport) -> str:
    """How far the model may be trusted."""
    source = report.worst
    trust = report.trust[source]
    if not trust.wrong:
        return (f"Good to at least {counted(trust.depth, 'move')} here, as deep as was measured (it was trained on "
                f"{report.unroll}).")
    why = " and ".join(FAULTS[name] for name in trust.wrong)
    if trust.depth == 0:
        return f"Not good for a single move here: {why}{AFTER[source]}."
    return f"Good to about {counted(trust.depth, 'move')} here; at {trust.depth + 1}, {why}{AFTER[source]}."


def _unjudged(report: ModelReport) -> Iterator[str]:
    """What that sentence says nothing about."""
    depth = report.trust[report.worst].depth
    if depth > 0 and (few := unjudged(report.figures.values(), depth)):
        yield f"There are too few {' and '.join(few)} up to there to judge them: fewer than {LEAST}."


def verdict(trust: Trust) -> str:
    """How far a model may be trusted with one source of actions, in a few words."""
    if not trust.wrong:
        return f"good to at least {trust.depth}"
    return f"good to {trust.depth}, then {', '.join(trust.wrong)}"


def _tables(part: Part, columns: Sequence[Column], width: int) -> Iterator[str]:
    """One table of as many columns as fit a line, and further ones of the others."""
    tables = [_table(part, columns[:count]) for count in range(2, len(columns) + 1)]
    fitting = [found for found in tables if max(map(len, found.splitlines())) <= width] or tables[:1]
    yield fitting[-1]
    if rest := columns[len(fitting) + 1 :]:
        yield from ("", *_tables(part, [columns[0], *rest], width))


def _table(part: Part, columns: Sequence[Column]) -> str:
    names = [column.name + " " * len(part.marks(column)[0]) for column in columns]
    return table(names, list(zip(*map(part.cells, columns), strict=True)), left=())


def _known(parts: Sequence[Part]) -> list[Column]:
    """Columns in which there is something to see."""
    return [column for column in COLUMNS if any(
        part.beyond[column.figure].any() if column.seldom else any(cell.strip() for cell in part.cells(column))
        for part in parts)]


def _win(wins: Sequence[Calibration]) -> Iterator[str]:
    """Calibration of the probability of a win, at the position itself and at the largest depth."""
    told = [f"{found.error:.3f} at depth {depth}" for depth, found in _ends(wins)]
    if told:
        chance = max(found.chance for _, found in _ends(wins))
        yield f"win probability: ECE {', '.join(told)} (perfect: {chance:.3f})"


def _ends(wins: Sequence[Calibration]) -> list[tuple[int, Calibration]]:
    known = [(depth, found) for depth, found in enumerate(wins) if len(found.count)]
    return [known[0], known[-1]] if len(known) > 1 else known


def _legend(report: ModelReport) -> Iterator[str]:
    parts = [_part(report, source) for source in SOURCES]
    for column in _known(parts)[1:]:
        yield f"{column.name}: {column.about}"
    if any(where.any() for part in parts for where in part.beyond.values()):
        yield f"{MARK} beyond its bound; fewer than {LEAST} games, rewards or ends are not judged"
    if (head := report.figures["played"].legality) is not None:
        yield f"The legality head masks moves with a probability below {head.least:g} of being legal."
    if report.spec.stochastic:
        yield "The game has chance, which the model can't foresee: the errors hold its share."
