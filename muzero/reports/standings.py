"""Tournament reports: ratings, crosstable, and which players can't be told apart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence

from games.own_names import short_name
from muzero.evaluation.tournament import TournamentReport
from muzero.view.terminal import interval, signed, table, told_cut
from selfplay.strength.arena import Score
from selfplay.strength.ratings import PRIOR_DRAWS, RESAMPLES, Difference, more_games
from selfplay.strength.tournament import Meeting, Standings

NAME = 32
"""Most columns of a name; of a longer one, the end is shown."""
SPARSE = 0.9
"""Below this fraction of distinct games, the report mentions repetition."""


def text(report: TournamentReport, width: int) -> str:
    """The whole report, in lines of at most `width` columns if names allow it."""
    asked, labels, meetings, standings = report.asked, report.labels, report.meetings, report.standings
    parts = [wrap(title(report), width), "", ratings_table(labels, standings), "", "row against column:",
             *crosstables(labels, meetings, standings, width), ""]
    parts += [wrap(line, width) for line in neighbours(labels, standings, asked.games)]
    parts += ["", *(wrap(line, width) for line in notes(labels, meetings, standings, asked.limit))]
    return "\n".join(parts)


def title(report: TournamentReport) -> str:
    """A line that says what was played."""
    asked, played, count = report.asked, len(report.meetings), len(report.labels)
    total = count * (count - 1) // 2
    openings = f"{asked.opening_plies} random opening moves" if asked.opening_plies else "no random opening moves"
    pairings = f"{'' if played == total else f'{played} of '}{total} pairing{'s' * (total > 1)} of {asked.games} games"
    return (f"{short_name(asked.game)}: {len(report.standings.order)} players, {pairings}, {openings}, the same for "
            f"every pairing, seed {asked.seed}")


def wrap(text: str, width: int) -> str:
    """Lines of at most `width` columns, no word broken."""
    return textwrap.fill(text, max(20, width), break_long_words=False, break_on_hyphens=False)


def cut(name: str) -> str:
    """A name as tables show it."""
    return name if len(name) <= NAME else f"...{name[3 - NAME:]}"


def ratings_table(labels: Sequence[str], standings: Standings) -> str:
    """One line per player, the strongest first."""
    rows = []
    for place, number in enumerate(standings.order, start=1):
        rating, score = standings.rating(number), standings.scores[number]
        ends = "anchor" if number == standings.anchor else interval(rating.low, rating.high, signed)
        rows.append((str(place), cut(labels[number]), signed(rating.value), ends, str(score.games),
                     f"{score.share:.1%}"))
    return table(("", "player", "rating", "95 % interval", "games", "score"), rows, left=(1,))


def crosstables(
    labels: Sequence[str], meetings: Sequence[Meeting], standings: Standings, width: int
) -> list[str]:
    """Wins-draws-losses of row against column; score in percent if that is too wide, in several tables if it still is.
    """
    found: dict[tuple[int, int], Score] = {}
    for meeting in meetings:
        found[meeting.first, meeting.second] = meeting.seen_by(meeting.first)
        found[meeting.second, meeting.first] = meeting.seen_by(meeting.second)
    order = standings.order
    whole = _crosstable(labels, found, order, range(len(order)), _counts)
    if max(map(len, whole.splitlines())) <= width:
        return [f"{whole}\n(won-drawn-lost)"]
    taken = max(len(cut(labels[number])) for number in order) + len(str(len(order))) + 2
    columns = max(1, (width - taken) // 5)
    parts = [_crosstable(labels, found, order, range(start, min(start + columns, len(order))), _percent)
             for start in range(0, len(order), columns)]
    return ["\n\n".join(parts) + "\n(score in percent)"]


def _crosstable(
    labels: Sequence[str], found: dict[tuple[int, int], Score], order: Sequence[int], columns: range,
    write: Callable[[Score], str],
) -> str:
    rows = []
    for place, number in enumerate(order, start=1):
        cells = [_cell(found.get((number, order[column])), number == order[column], write) for column in columns]
        rows.append((str(place), cut(labels[number]), *cells))
    return table(("", "", *(str(column + 1) for column in columns)), rows, left=(1,))


def _cell(score: Score | None, itself: bool, write: Callable[[Score], str]) -> str:
    if score is None:
        return "-" if itself else "?"
    return write(score)


def _counts(score: Score) -> str:
    return f"{score.wins}-{score.draws}-{score.losses}"


def _percent(score: Score) -> str:
    return f"{100 * score.share:.0f}"


def neighbours(labels: Sequence[str], standings: Standings, games: int) -> list[str]:
    """A sentence for each pair of neighbours in the ranking whose difference may be 0."""
    lines = []
    for upper, lower in zip(standings.order, standings.order[1:], strict=False):
        difference = standings.difference(upper, lower)
        if difference.open:
            lines.append(f"{labels[upper]} and {labels[lower]} can't be told apart (difference "
                         f"{difference.value:.0f}, 95 % {interval(difference.low, difference.high)}; "
                         f"{advice(difference, games)})")
    return lines or ["Every player is clearly stronger than the next one."]


def advice(difference: Difference, games: int) -> str:
    """How many more games two players would need."""
    if not math.isfinite(difference.low):
        return "too few games to say"
    more = more_games(difference, games)
    if more is None:
        return "no feasible number of games would"
    return f"about {float(f'{more:.2g}'):,.0f} more games per pairing would"


def notes(
    labels: Sequence[str], meetings: Sequence[Meeting], standings: Standings, max_moves: int = 0
) -> list[str]:
    """Explanations of the numbers."""
    draws = f"{PRIOR_DRAWS:g} virtual drawn game{'' if PRIOR_DRAWS == 1 else 's'}"
    lines = [
        f"rating: Elo above {labels[standings.anchor]} (Bradley-Terry, a draw is half a win); each player gets "
        f"{draws}, spread over its opponents, which keeps ratings finite for players who won or lost everything. "
        f"Interval: {RESAMPLES:,} bootstrap samples of the pairs of games in each pairing; \"or more\" or \"or less\": "
        "too few points the other way for a bound. NAME@N: an agent with N simulations per move."]
    games = sum(meeting.total.games for meeting in meetings)
    different = sum(meeting.different for meeting in meetings)
    if different < SPARSE * games:
        lines.append(f"Only {different} of {games} games differ from the others of their pairing: repeated games add "
                     "no information, so the intervals are too narrow. Use more --opening-plies for more variety.")
    if cut_short := sum(meeting.cut for meeting in meetings):
        lines.append(told_cut(cut_short, games, max_moves))
    return lines
