"""Perfect play in games small enough to solve, and how often an agent's moves lose value in them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from games import make
from games.base import GameBatch, GameError, IntArray, MaskArray
from games.exact import Exact, exact, refuse_foreign, spiel_state
from games.solver import Solver
from selfplay.strength.positions import TOLERANCE, Chooser, Judged, PositionSet, Quality, judge_moves, place, tabulate

POSITIONS_AT_ONCE = 512
"""Positions evaluated at once."""
LAPSES_KEPT = 10
"""Lapses reported in full; further ones are only counted."""

History = tuple[int, ...]


class PerfectPlayer:
    """Plays a random move among those that keep the value. Refuses games too large to solve."""

    def __init__(self, game: str, seed: int, solver: Exact | None = None) -> None:
        """solver: a solver of the same game, which may have cached values already."""
        self.name = "perfect"
        refuse_foreign(game)
        self.solver = exact(game) if solver is None else solver
        self._rng = np.random.default_rng(seed)

    def solve_start(self) -> None:
        """Raises GameError for a game too large to solve, which would otherwise show up only in the middle of a match.
        """
        self.solver.value(self.solver.new_state())

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        actions = np.zeros(games.size, np.int32)
        for row in np.flatnonzero(rows).tolist():
            values = self.solver.move_values(spiel_state(games, row))
            best = max(values.values())
            keeping = [action for action, value in values.items() if value >= best - TOLERANCE]
            actions[row] = keeping[self._rng.integers(len(keeping))]
        return actions


@dataclass(frozen=True)
class Lapse:
    """A position in which the chosen move loses value."""

    history: History
    action: int
    value: float
    """Exact value of the position for the player to move."""
    got: float
    """Exact value of the chosen move."""


def first_lapses(games: Iterable[History], moving_first: bool, solver: Exact) -> list[Lapse]:
    """In each of `games`, one player's first move that lost value, if any.

    The games are complete and without chance; the player moved first in all of them, or in none.
    """
    known: dict[History, dict[int, float]] = {}
    found = (_first_lapse(moves, moving_first, solver, known) for moves in games)
    return [lapse for lapse in found if lapse is not None]


def _first_lapse(
    moves: History, moving_first: bool, solver: Exact, known: dict[History, dict[int, float]]
) -> Lapse | None:
    state = solver.new_state()
    me = state.current_player() if moving_first else 1 - state.current_player()
    for ply, action in enumerate(moves):
        if state.current_player() == me:
            before = moves[:ply]
            values = known.get(before) or known.setdefault(before, solver.move_values(state))
            best = max(values.values())
            if values[action] < best - TOLERANCE:
                return Lapse(before, action, best, values[action])
        state.apply_action(action)
    return None


@dataclass(frozen=True)
class KeepReport:
    """How one player moves in every reachable decision position."""

    game: str
    positions: int
    lose_value: int
    """Positions in which the chosen move loses value."""
    first_lapses: tuple[Lapse, ...]
    """The earliest of them, at most LAPSES_KEPT."""
    qualities: tuple[Quality, ...]
    """Over all positions, then by bands of plies."""


def keeps_value(
    players: Sequence[Chooser], solver: Solver, progress: Callable[[int, int], None] | None = None
) -> list[KeepReport]:
    """Judge the move of each of `players` in every reachable decision position of the solver's game.

    `progress` is called with the numbers of positions done and in all. Memory: the solver's, and for each position
    about 4 bytes per move made and 10 per player. Raises GameError for a game with chance (whose positions can't
    be set up by moves only) or one too large.
    """
    game = solver.spec.name
    if solver.spec.stochastic:
        raise GameError(f"{game}: every-position checks are for games without chance")
    solver.value(solver.new_state())
    histories = _Histories(solver.reachable_decisions())
    judged: list[list[Judged]] = [[] for _ in players]
    lapses: list[list[Lapse]] = [[] for _ in players]
    for done, chunk in histories.chunks(POSITIONS_AT_ONCE):
        games = make(game, len(chunk))
        place(games, chunk)
        positions = _scored(games, chunk, solver)
        for number, player in enumerate(players):
            moves = player.act(games, np.ones(len(chunk), np.bool_))
            judged[number].append(judge_moves(positions, moves))
            room = LAPSES_KEPT - len(lapses[number])
            lapses[number] += _lapses(positions, moves, judged[number][-1])[:room]
        if progress is not None:
            progress(done, len(histories))
    return [
        KeepReport(game, len(histories), sum(int((part.lost > 0).sum()) for part in parts), tuple(found),
                   tuple(tabulate(parts)))
        for parts, found in zip(judged, lapses, strict=True)
    ]


class _Histories:
    """Many histories concatenated in one array: tuples would take ten times the memory."""

    def __init__(self, found: Iterator[History]) -> None:
        self._moves, self._ends = array("i"), array("q", [0])
        for history in found:
            self._moves.extend(history)
            self._ends.append(len(self._moves))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def chunks(self, size: int) -> Iterator[tuple[int, list[History]]]:
        """All histories, shortest first, in chunks of `size`, each with the number yielded so far."""
        order = np.argsort(np.diff(np.asarray(self._ends)), kind="stable")
        for start in range(0, len(order), size):
            chunk = order[start : start + size].tolist()
            yield start + len(chunk), [tuple(self._moves[self._ends[i] : self._ends[i + 1]]) for i in chunk]


def _scored(games: GameBatch, histories: Sequence[History], solver: Solver) -> PositionSet:
    """The current positions of `games` with the exact score of every move."""
    scores = np.full((len(histories), games.spec.num_actions), np.nan, np.float32)
    for row in range(len(histories)):
        for action, score in solver.move_scores(spiel_state(games, row)).items():
            scores[row, action] = score
    return PositionSet(games.spec.name, tuple(histories), scores, solver.timed)


def _lapses(positions: PositionSet, moves: IntArray, judged: Judged) -> list[Lapse]:
    values = positions.values
    return [
        Lapse(positions.histories[row], int(moves[row]), float(np.nanmax(values[row])), float(values[row, moves[row]]))
        for row in np.flatnonzero(judged.lost).tolist()
    ]
