"""Positions with known move scores: read from a CSV, placed on the board, and how well moves keep value.

Letters: P positions, A actions.
"""

from __future__ import annotations

import csv
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
CHUNK = 256
"""Positions on the board at a time: the latents of a search cost memory for each."""
BAND_PLIES = 10
MAX_ROWS = 1_000_000


class Chooser(Protocol):
    """What picks a move in each of `rows`; every player does."""

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray: ...


@dataclass(frozen=True)
class PositionSet:
    """Positions whose every move has an exact score."""

    game: str
    histories: tuple[tuple[int, ...], ...]
    """[P] actions from the start of the game"""
    scores: FloatArray
    """[P, A] for the player to move: above 0 wins, 0 draws, below 0 loses, larger is sooner; NaN = illegal"""

    def __len__(self) -> int:
        return len(self.histories)

    @property
    def critical(self) -> MaskArray:
        """[P] True where at least one legal move loses value."""
        kept = np.sign(self.scores) == np.nanmax(np.sign(self.scores), axis=1, keepdims=True)
        legal = ~np.isnan(self.scores)
        return np.asarray((legal & ~kept).any(axis=1))


@dataclass(frozen=True)
class Quality:
    """How good the chosen moves are. Shares are in percent; NaN where there is nothing to count."""

    label: str
    """`all` or a band of plies such as `4-13`"""
    positions: int
    critical: int
    keep: float
    """Moves that keep the value (win, draw or loss) of the position."""
    critical_keep: float
    """The same over the critical positions alone: the number to look at first."""
    perfect: float
    """Moves of the very best score (the fastest win, the slowest loss)."""
    value_lost: float
    """Mean loss of value: 1 for a win turned into a draw, 2 for a win turned into a loss."""


def place(games: GameBatch, histories: Sequence[Sequence[int]], labels: Sequence[str] | None = None) -> None:
    """Put row i of `games` in the position after `histories[i]`; rows beyond them stand at the start.

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

    Columns `moves` (actions from the start: digits, or separated by `;`) and `values` (a score for each
    action, separated by `;`, `.` = illegal) are needed; id, ply, source, critical and win_now may be there.
    Raises GameError naming the line for anything else.
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
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            _check_columns(reader.fieldnames, path)
            rows = []
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise GameError(f"{where}: wanted {len(reader.fieldnames or ())} columns")
                rows.append((where, row))
                if len(rows) > MAX_ROWS:
                    raise GameError(f"{path}: more than {MAX_ROWS} positions")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GameError(f"{path}: can't be read as a positions file: {error}") from error
    if not rows:
        raise GameError(f"{path}: no positions in it")
    return rows


def _check_columns(found: Sequence[str] | None, path: Path) -> None:
    names = list(found or ())
    wanted = f"wanted {', '.join(REQUIRED)} and any of {', '.join(c for c in COLUMNS if c not in REQUIRED)}"
    for name in names:
        if name not in COLUMNS:
            raise GameError(f"{path}, line 1: unknown column {name!r}; {wanted}")
    for name in REQUIRED:
        if name not in names:
            raise GameError(f"{path}, line 1: no column {name!r}; {wanted}")
    if len(set(names)) < len(names):
        raise GameError(f"{path}, line 1: a column is there twice: {', '.join(names)}")


def _moves(text: str, actions: int, where: str) -> tuple[int, ...]:
    parts = text.split(";") if ";" in text or actions > 10 else list(text)
    try:
        return tuple(int(part) for part in parts if part)
    except ValueError as error:
        raise GameError(f"{where}: moves {text[:80]!r} are not numbers of actions") from error


def _scores(text: str, actions: int, where: str) -> list[float]:
    parts = text.split(";")
    if len(parts) != actions:
        raise GameError(f"{where}: values for {actions} actions wanted, got {len(parts)}")
    try:
        return [float("nan") if part == "." else float(int(part)) for part in parts]
    except ValueError as error:
        raise GameError(f"{where}: values are whole numbers or '.', got {text[:80]!r}") from error


def _check_on_board(positions: PositionSet, wheres: Sequence[str]) -> None:
    """Every history must be playable, and exactly its legal moves must have scores."""
    for start in range(0, len(positions), CHUNK):
        chunk = slice(start, start + CHUNK)
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
    """The move [P] `player` picks in each position, `CHUNK` positions at a time."""
    moves = np.zeros(len(positions), np.int32)
    for start in range(0, len(positions), CHUNK):
        histories = positions.histories[start : start + CHUNK]
        games = make(positions.game, len(histories))
        place(games, histories)
        moves[start : start + CHUNK] = player.act(games, np.ones(len(histories), np.bool_))
    return moves


def judge(positions: PositionSet, moves: IntArray) -> list[Quality]:
    """Quality of `moves` [P]: first over all positions, then by bands of plies."""
    plies = np.array([len(history) for history in positions.histories])
    table = [_quality("all", positions, moves, np.ones(len(positions), np.bool_))]
    for low in range(int(plies.min()), int(plies.max()) + 1, BAND_PLIES):
        high = min(low + BAND_PLIES - 1, int(plies.max()))
        inside = (plies >= low) & (plies <= high)
        if inside.any():
            table.append(_quality(f"{low}-{high}", positions, moves, inside))
    return table


def _quality(label: str, positions: PositionSet, moves: IntArray, rows: MaskArray) -> Quality:
    scores, chosen = positions.scores[rows], moves[rows]
    got = scores[np.arange(len(scores)), chosen]
    best = np.nanmax(scores, axis=1)
    lost = np.sign(best) - np.sign(got)
    critical = positions.critical[rows]
    return Quality(
        label=label,
        positions=len(scores),
        critical=int(critical.sum()),
        keep=_percent(lost == 0),
        critical_keep=_percent((lost == 0)[critical]),
        perfect=_percent(got == best),
        value_lost=float(lost.mean()),
    )


def _percent(yes: NDArray[np.bool_]) -> float:
    return 100 * float(yes.mean()) if yes.size else float("nan")
