"""Reports of model validation as text: one sentence, and a table by depth for each source of actions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from games.own_names import short_name
from muzero.validation.calibration import Calibration
from muzero.validation.movers import SIMULATIONS, SOURCES, Source
from muzero.validation.report import DepthReport
from muzero.validation.trust import LEAST, Trust, unjudged
from muzero.validation.validate import ModelReport
from muzero.view.terminal import counted, table

TITLES: dict[Source, str] = {
    "played": f"moves of a search of {SIMULATIONS} simulations", "policy": "moves of the policy network",
    "random": "one random move, then moves of the policy network"}
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


def _number(name: str) -> Callable[[DepthReport, int], str]:
    return lambda report, depth: _told(float(getattr(report, name)[depth]), 3)


def _percent(name: str) -> Callable[[DepthReport, int], str]:
    return lambda report, depth: _told(100.0 * float(getattr(report, name)[depth]), 1)


def _of_head(name: str) -> Callable[[DepthReport, int], str]:
    return lambda report, depth: "" if report.legality is None else _told(
        100.0 * float(getattr(report.legality, name)[depth]), 1)


def _told(number: float, decimals: int) -> str:
    return "" if math.isnan(number) else f"{number:.{decimals}f}"


COLUMNS = (
    Column("depth", "moves imagined", lambda _, depth: str(depth)),
    Column("games", "in which so many moves were made", lambda report, depth: f"{report.positions[depth]:,}"),
    Column("drift", "mean |value - the network's value of the real position|", _number("drift")),
    Column("result", "mean |value - what the game brought|", _number("value_error")),
    Column("exact", "mean |value - value under perfect play|", _number("truth_error")),
    Column("KL", "of the policy from that of the real position, in nats", _number("kl")),
    Column("legal", "% of the policy on legal moves", _percent("legal_mass")),
    Column("head", "% balanced accuracy of the legality head", _of_head("balanced")),
    Column("lost", "% of legal moves that it takes for illegal ones", _of_head("lost")),
    Column("rewards", "% of rewards seen: right sign, at least half the size", _percent("recall")),
    Column("ends", "% of ends seen", _percent("ends_seen")),
    Column("past", "mean |value| one move past the end, where nothing is to come", _number("after_end")),
    Column("ECE", "calibration error of the value: 0 if it is right on average", lambda report, depth: _told(
        report.values[depth].error, 3)),
)
WIDEST = 80
"""Characters of a line."""


def text(report: ModelReport) -> str:
    """The whole report, in lines of at most 80 columns."""
    head = (f"{short_name(report.spec.name)}: the model of {report.agent}, step {report.step:,}, "
            f"{counted(report.positions, 'position')} each, seed {report.seed}")
    parts = [head, "", sentence(report), *_unjudged(report)]
    for source in SOURCES:
        figures = report.figures[source]
        parts += ["", f"{TITLES[source]}: {verdict(report.trust[source])}",
                  *_tables(figures, _known([figures])), *_win(figures.wins)]
    return "\n".join([*parts, "", *_legend(report)])


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


def _tables(figures: DepthReport, columns: Sequence[Column]) -> Iterator[str]:
    """One table of as many columns as fit a line, and further ones of the others."""
    tables = [_table(figures, columns[:count]) for count in range(2, len(columns) + 1)]
    fitting = [found for found in tables if max(map(len, found.splitlines())) <= WIDEST] or tables[:1]
    yield fitting[-1]
    if rest := columns[len(fitting) + 1 :]:
        yield from ("", *_tables(figures, [columns[0], *rest]))


def _table(figures: DepthReport, columns: Sequence[Column]) -> str:
    rows = [[column.cell(figures, depth) for column in columns] for depth in range(len(figures.positions))]
    return table([column.name for column in columns], rows, left=())


def _known(reports: Sequence[DepthReport]) -> list[Column]:
    """Columns in which something is known."""
    return [column for column in COLUMNS if any(
        column.cell(report, depth) for report in reports for depth in range(len(report.positions)))]


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
    for column in _known([report.figures[source] for source in SOURCES])[1:]:
        yield f"{column.name}: {column.about}"
    if (head := report.figures["played"].legality) is not None:
        yield f"The legality head masks moves with a probability below {head.least:g} of being legal."
    if report.spec.stochastic:
        yield "The game has chance, which the model can't foresee: the errors hold its share."
