"""Exact solver of Connect Four, by alpha-beta search: there are too many positions for `games.solver`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from games.base import GameError
from games.connect_four_openings import BOARD as USUAL
from games.connect_four_openings import PLIES, opening_value
from games.connect_four_search import Board, new_memory
from games.spiel_facts import load_facts

LARGEST = 36
"""Cells of the largest board searched from its start, which takes seconds (4 x 9: a minute); for the usual board of 42
cells the opening values are on file."""
IN_A_ROW = 4
LEFT = 26
"""Empty cells of positions that are searched to their end within milliseconds."""


class ConnectFourSolver:
    """Values of positions (`pyspiel.State`) as in `games.solver.Solver`. Searches share one transposition table.

    Opening values are known; the first positions beyond them take up to seconds, later ones milliseconds.
    """

    timed = True
    """Every game is won, drawn or lost: scores say how soon."""

    def __init__(self, name: str) -> None:
        """Raises GameError for a game it can't solve."""
        facts = load_facts(name)
        self.spec = facts.spec
        self._game = facts.game
        if not can_solve(facts.game):
            raise GameError(f"{self.spec.name}: exact search is for Connect Four with four in a row, on boards of up "
                            f"to {LARGEST} cells or of 6 rows and 7 columns")
        parameters = facts.game.get_parameters()
        self._board = Board(parameters["rows"], parameters["columns"])
        self._memory = new_memory()

    def new_state(self) -> Any:
        """The first position."""
        return self._game.new_initial_state()

    def quick(self, state: Any) -> bool:
        """Whether a value is found within milliseconds: in the opening, where it is known, and later on."""
        played = len(state.history())
        return (played <= PLIES and self._board == USUAL) or self._board.cells - played <= LEFT

    def value(self, state: Any) -> float:
        """1 won, 0 drawn, -1 lost for the player to move under perfect play; 0 at the end, where nothing is to come."""
        return 0.0 if state.is_terminal() else float(self._sign(*self._discs(state)))

    def move_values(self, state: Any) -> dict[int, float]:
        """Value of each legal action for the player to move."""
        return {
            action: 1.0 if wins else 0.0 - self._sign(mine, discs) if discs != self._board.full else 0.0
            for action, wins, mine, discs in self._after_moves(state)
        }

    def move_scores(self, state: Any) -> dict[int, float]:
        """Score of each legal action: a win d moves from now (of both players) scores 1 + cells - d, a loss the
        negative, a draw 0."""
        played, cells = len(state.history()), self._board.cells
        scores = {}
        for action, wins, mine, discs in self._after_moves(state):
            score = 0
            if wins:
                score = (cells + 1 - played) // 2
            elif discs != self._board.full:
                score = -self._exact(mine, discs)
            scores[action] = float(_by_moves(score, played, cells))
        return scores

    def _discs(self, state: Any) -> tuple[int, int]:
        """(discs of the player to move, all discs)"""
        sides = [0, 0]
        for ply, column in enumerate(state.history()):
            sides[ply % 2] |= self._board.landing(sides[0] | sides[1], column)
        return sides[state.move_number() % 2], sides[0] | sides[1]

    def _after_moves(self, state: Any) -> Iterator[tuple[int, bool, int, int]]:
        """(action, whether it makes four, discs of the player to move after it, all discs then)."""
        mine, discs = self._discs(state)
        for action in state.legal_actions():
            move = self._board.landing(discs, action)
            yield action, self._board.has_four(mine | move), mine ^ discs, discs | move

    def _sign(self, mine: int, discs: int) -> int:
        """Value for the player to move."""
        if self._board == USUAL:
            known = opening_value(mine, discs)
            if known is not None:
                return known
        return self._board.sign(mine, discs, self._memory)

    def _exact(self, mine: int, discs: int) -> int:
        """Score for the player to move, by bisection."""
        sign = self._sign(mine, discs)
        low, high = (1, self._board.cells) if sign > 0 else (-self._board.cells, -1) if sign else (0, 0)
        while low < high:
            middle = (low + high) // 2
            found = self._board.score(mine, discs, middle, middle + 1, self._memory)
            low, high = (middle + 1, high) if found > middle else (low, middle)
        return low


def can_solve(game: Any) -> bool:
    """Whether this OpenSpiel game is Connect Four of a size and line length that can be searched to the end."""
    if game.get_type().short_name != "connect_four":
        return False
    parameters = game.get_parameters()
    board = Board(parameters["rows"], parameters["columns"])
    return parameters["x_in_row"] == IN_A_ROW and (board == USUAL or (board.cells <= LARGEST and board.fits))


def _by_moves(score: int, played: int, cells: int) -> int:
    """Converts a score that counts discs to one that counts moves from now, after `played` discs."""
    if score == 0:
        return 0
    last = cells + 2 - 2 * abs(score)
    mine = score > 0
    if (last - played) % 2 != mine:
        last -= 1
    return (1 + cells - (last - played)) * (1 if mine else -1)
