"""Test positions with known move scores: reads them from CSV, sets them up, and judges moves by how they keep value.

Letters: P positions, A actions.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from games import make, spec
from games.base import NO_PLAYER, FloatArray, GameBatch, GameError, IntArray, MaskArray

COLUMNS = ("id", "moves", "ply", "source", "critical", "win_now", "values")
REQUIRED = ("moves", "values")
POSITIONS_AT_ONCE = 256
"""Positions searched at once: each takes memory for the latents of its search."""
BANDS, BAND_PLIES = 3, 10
"""Number of bands of plies, at least, and plies in a band, at most."""
TOLERANCE = 1e-6
"""Values closer than this are equal: sums of discounted rewards differ in the last bits."""
MAX_ROWS = 1_000_000
MAX_SCORE = 1 << 24
"""Scores up to this size are distinct in float32."""
NUMBER = re.compile(r"-?[0-9]{1,9}")


class Chooser(Protocol):
    """Anything that picks a move in each of `rows`, such as a player."""

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray: ...


@dataclass(frozen=True)
class PositionSet:
    """Positions whose every move has an exact score."""

    game: str
    histories: tuple[tuple[int, ...], ...]
    """[P] actions from the start of the game"""
    scores: FloatArray
    """[P, A] for the player to move; NaN = illegal. Timed: above 0 wins, 0 draws, below 0 loses, larger is better
    (a faster win, a slower loss). Not timed: the return to come."""
    timed: bool = True

    def __len__(self) -> int:
        return len(self.histories)

    @property
    def values(self) -> FloatArray:
        """[P, A] the value of each move, however long it takes: 1, 0 or -1 if scores are timed."""
        return np.sign(self.scores) if self.timed else self.scores

    @property
    def critical(self) -> MaskArray:
        """[P] True where at least one legal move loses value."""
        values = self.values
        return np.asarray((values < np.nanmax(values, axis=1, keepdims=True) - TOLERANCE).any(axis=1))


@dataclass(frozen=True)
class Judged:
    """One move in each of P positions, judged by the exact scores."""

    plies: IntArray
    """[P] moves made before"""
    critical: MaskArray
    """[P]"""
    lost: FloatArray
    """[P] value lost by the move; 0 where it keeps the value"""
    perfect: MaskArray
    """[P] True for a move with the best score"""
    timed: bool


@dataclass(frozen=True)
class Quality:
    """How good the chosen moves are. Shares are in percent; NaN if there is nothing to count."""

    label: str
    """`all` or a band of plies such as `4-13`"""
    positions: int
    critical: int
    keep: float
    """Moves that keep the value (win, draw or loss) of the position."""
    critical_keep: float
    """The same over only the critical positions: the number to look at first."""
    perfect: float
    """Moves with the best score (the fastest win, the slowest loss); NaN if scores aren't timed."""
    value_lost: float
    """Mean loss of value: 1 for a win turned into a draw, 2 for a win turned into a loss; else in units of return."""


def place(games: GameBatch, histories: Sequence[Sequence[int]], labels: Sequence[str] | None = None) -> None:
    """Put row i of `games` in the position after `histories[i]`; further rows are at the start.

    Raises GameError naming the label (or the number) of a position with an illegal move or a finished game.
    """
    names = labels or [f"position {i}" for i in range(len(histories))]
    games.reset()
    for ply in range(max(map(len, histories), default=0)):
        rows = np.array([i < len(histories) and len(histories[i]) > ply for i in range(games.size)])
        actions = np.zeros(games.size, np.int32)
        for row in np.flatnonzero(rows).tolist():
            actions[row] = histories[row][ply]
        _check_legal(games, actions, rows, ply, names)
        games.step(actions, rows)
    for row in np.flatnonzero(games.to_play()[: len(histories)] == NO_PLAYER).tolist():
        raise GameError(f"{names[row]}: the game is over after {list(histories[row])}; no move to judge")


def _check_legal(
    games: GameBatch, actions: IntArray, rows: MaskArray, ply: int, names: Sequence[str]
) -> None:
    legal = games.legal()
    for row in np.flatnonzero(rows).tolist():
        action = int(actions[row])
        if not (0 <= action < games.spec.num_actions and legal[row, action]):
            allowed = " ".join(map(str, np.flatnonzero(legal[row]))) or "none, the game is over"
            raise GameError(f"{names[row]}: move {ply + 1} is {action}; legal there: {allowed}")


def read(path: Path, game: str) -> PositionSet:
    """Read a positions file and check every line against the rules of `game`.

    Columns `moves` (actions from the start: digits, or separated by `;`) and `values` (a score for each action,
    separated by `;`, `.` = illegal: above 0 wins for the player to move, 0 draws, larger is better) are required;
    id, ply, source, critical and win_now are optional. Raises GameError naming the line for anything else.
    """
    facts = spec(game)
    if facts.stochastic or facts.players != 2:
        raise GameError(f"{game}: positions files are for two-player games without chance")
    rows = _rows(path)
    histories = tuple(_moves(row["moves"], facts.num_actions, where) for where, row in rows)
    scores = np.array([_scores(row["values"], facts.num_actions, where) for where, row in rows], np.float32)
    positions = PositionSet(facts.name, histories, scores)
    _check_on_board(positions, [where for where, _ in rows])
    critical = positions.critical
    for i, (where, row) in enumerate(rows):
        _check_extras(row, len(histories[i]), bool(critical[i]), where)
    return positions


def _rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    """(where, columns) of each line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            _check_columns(reader.fieldnames, path)
            rows = []
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    got = sum(value is not None for key, value in row.items() if key) + len(row.get(None) or ())
                    raise GameError(f"{where}: expected {len(reader.fieldnames or ())} columns, got {got}")
                rows.append((where, row))
                if len(rows) > MAX_ROWS:
                    raise GameError(f"{path}: more than {MAX_ROWS} positions")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GameError(f"{path}: can't be read as a positions file: {error}") from error
    if not rows:
        raise GameError(f"{path}: no positions in it")
    return rows


def _check_columns(found: Sequence[str] | None, path: Path) -> None:
    if found is None:
        raise GameError(f"{path}: the file is empty")
    names = list(found)
    columns = f"expected {', '.join(REQUIRED)} and any of {', '.join(c for c in COLUMNS if c not in REQUIRED)}"
    for name in names:
        if name not in COLUMNS:
            raise GameError(f"{path}, line 1: unknown column {name!r}; {columns}")
    for name in REQUIRED:
        if name not in names:
            raise GameError(f"{path}, line 1: no column {name!r}; {columns}")
    if len(set(names)) < len(names):
        raise GameError(f"{path}, line 1: a column appears twice: {', '.join(names)}")


def _moves(text: str, actions: int, where: str) -> tuple[int, ...]:
    parts = (text.split(";") if text else []) if ";" in text or actions > 10 else list(text)
    if not all(map(NUMBER.fullmatch, parts)):
        raise GameError(f"{where}: moves: expected action numbers, got {text[:80]!r}")
    return tuple(map(int, parts))


def _scores(text: str, actions: int, where: str) -> list[float]:
    parts = text.split(";")
    if len(parts) != actions:
        raise GameError(f"{where}: expected values for {actions} actions, got {len(parts)}")
    if not all(part == "." or (NUMBER.fullmatch(part) and abs(int(part)) <= MAX_SCORE) for part in parts):
        raise GameError(f"{where}: values: expected '.' or whole numbers up to {MAX_SCORE:,}, got {text[:80]!r}")
    return [math.nan if part == "." else float(part) for part in parts]


def _check_on_board(positions: PositionSet, wheres: Sequence[str]) -> None:
    """Every history must be playable, and exactly its legal moves must have scores."""
    for start in range(0, len(positions), POSITIONS_AT_ONCE):
        chunk = slice(start, start + POSITIONS_AT_ONCE)
        games = make(positions.game, len(positions.histories[chunk]))
        place(games, positions.histories[chunk], wheres[chunk])
        scored = ~np.isnan(positions.scores[chunk])
        for row in np.flatnonzero((games.legal() != scored).any(axis=1)).tolist():
            raise GameError(
                f"{wheres[start + row]}: legal moves are {np.flatnonzero(games.legal()[row]).tolist()}, "
                f"but values are given for {np.flatnonzero(scored[row]).tolist()}"
            )


def _check_extras(row: dict[str, str], plies: int, critical: bool, where: str) -> None:
    if "ply" in row and row["ply"] != str(plies):
        raise GameError(f"{where}: ply is {row['ply']!r}, but there are {plies} moves")
    if "critical" in row and row["critical"] != str(int(critical)):
        raise GameError(f"{where}: critical is {row['critical']!r}, but the values say {int(critical)}")


def choose(player: Chooser, positions: PositionSet) -> IntArray:
    """The move [P] that `player` picks in each position, `POSITIONS_AT_ONCE` positions at a time."""
    moves = np.zeros(len(positions), np.int32)
    for start in range(0, len(positions), POSITIONS_AT_ONCE):
        histories = positions.histories[start : start + POSITIONS_AT_ONCE]
        games = make(positions.game, len(histories))
        place(games, histories)
        moves[start : start + POSITIONS_AT_ONCE] = player.act(games, np.ones(len(histories), np.bool_))
    return moves


def judge(positions: PositionSet, moves: IntArray) -> list[Quality]:
    """Quality of `moves` [P]: first over all positions, then by bands of plies."""
    return tabulate([judge_moves(positions, moves)])


def judge_moves(positions: PositionSet, moves: IntArray) -> Judged:
    """Each of `moves` [P], judged separately."""
    rows, values, scores = np.arange(len(positions)), positions.values, positions.scores
    lost = np.nanmax(values, axis=1) - values[rows, moves]
    return Judged(
        plies=np.array([len(history) for history in positions.histories], np.int32),
        critical=positions.critical,
        lost=np.where(lost > TOLERANCE, lost, 0).astype(np.float32),
        perfect=np.asarray(scores[rows, moves] == np.nanmax(scores, axis=1)),
        timed=positions.timed,
    )


def tabulate(parts: Sequence[Judged]) -> list[Quality]:
    """Quality of all judged moves together (at least one), then by bands of plies."""
    whole = Judged(
        plies=np.concatenate([part.plies for part in parts]),
        critical=np.concatenate([part.critical for part in parts]),
        lost=np.concatenate([part.lost for part in parts]),
        perfect=np.concatenate([part.perfect for part in parts]),
        timed=all(part.timed for part in parts),
    )
    first, last = int(whole.plies.min()), int(whole.plies.max())
    width = min(BAND_PLIES, math.ceil((last - first + 1) / BANDS))
    table = [_quality("all", whole, np.ones(len(whole.plies), np.bool_))]
    for low in range(first, last + 1, width):
        high = min(low + width - 1, last)
        inside = (whole.plies >= low) & (whole.plies <= high)
        if inside.any():
            table.append(_quality(f"{low}-{high}" if low < high else f"{low}", whole, inside))
    return table


def _quality(label: str, judged: Judged, rows: MaskArray) -> Quality:
    lost, critical = judged.lost[rows], judged.critical[rows]
    return Quality(
        label=label,
        positions=len(lost),
        critical=int(critical.sum()),
        keep=_percent(lost == 0),
        critical_keep=_percent((lost == 0)[critical]),
        perfect=_percent(judged.perfect[rows]) if judged.timed else math.nan,
        value_lost=float(lost.mean(dtype=np.float64)),
    )


def _percent(yes: NDArray[np.bool_]) -> float:
    return 100 * float(yes.mean()) if yes.size else math.nan
