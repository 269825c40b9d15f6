"""A game session between a person and an agent: positions, moves, analysis, undo and results, as values.

The session is independent of how they are shown: in a terminal, on a page or through a protocol.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameError, GameSpec, IntArray
from muzero.play.board import Board, Cell, read_board
from muzero.play.moves import legal_names, move_name
from muzero.play.thoughts import Thought, thought
from muzero.players import repeats_of
from selfplay.strength.arena import move_limit

if TYPE_CHECKING:
    from games.base import FloatArray, GameBatch, MaskArray
    from muzero.agent import Analysis
    from muzero.config import Config


class Thinker(Protocol):
    """The part of `muzero.agent.Agent` that a session uses."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> GameSpec: ...

    @property
    def config(self) -> Config: ...

    def observe(self, batch: GameBatch) -> Any: ...

    def search(
        self, obs: Any, legal: MaskArray, *, simulations: int | None = None, seed: int = 0
    ) -> Analysis: ...

    def raw(self, obs: Any, legal: MaskArray) -> tuple[FloatArray, FloatArray]: ...


@dataclass(frozen=True)
class Position:
    """The visible state of a game."""

    text: str
    """as the game prints it"""
    board: Board | None
    """its cells, if they can be read"""
    added: frozenset[Cell]
    """cells that the last move filled"""
    possible: frozenset[Cell]
    """cells with a legal move, in games that show them"""
    moves: int
    """moves made so far"""
    returns: tuple[float, ...]
    """each player's return so far"""


def seen(games: GameBatch, before: Board | None, moves: int) -> Position:
    """The position in row 0. before: the board before the last move; moves: made so far."""
    board = read_board(games.spec.name, games.render(0))
    added = frozenset() if board is None else frozenset(board.added(before))
    possible: frozenset[Cell] = frozenset()
    if board is not None and board.drawing.show_legal:
        possible = frozenset(cell for name in legal_names(games) if (cell := board.cell(name)) is not None)
    return Position(games.render(0), board, added, possible, moves, tuple(games.returns()[0].tolist()))


@dataclass(frozen=True)
class Result:
    """How a game ended."""

    kind: Literal["won", "draw", "resigned", "over", "cut"]
    """over: a one-player game ended; cut: cut off at the move limit of a game without an end of its own"""
    winner: int | None
    moves: int
    returns: tuple[float, ...]


@dataclass(frozen=True)
class Undone:
    """The result of an undo."""

    kind: Literal["move", "resignation", "nothing", "impossible"]
    """impossible: the game goes differently when replayed"""
    name: str = ""
    """the move's name"""


@dataclass(frozen=True)
class _Past:
    """A move, and the game state before it."""

    player: int
    snapshot: dict[str, Any]
    name: str


class Session:
    """A game, its moves so far, and the seats."""

    def __init__(
        self, agent: Thinker, *, first: bool = True, watch: bool = False, simulations: int | None = None, seed: int = 0
    ) -> None:
        """first: whether the person moves first; watch: the agent makes all moves."""
        self.agent = agent
        self.simulations, self._seed = simulations, seed
        self.games = engines.make(agent.spec.name, 1, seed)
        self.spec = self.games.spec
        self._rng = np.random.default_rng(seed)
        self._repeats = repeats_of(agent.spec, agent.config, seed)
        """Only if the agent plays alone: in other one-player games the person makes the moves"""
        self._longest = move_limit(self.spec)
        self._past: list[_Past] = []
        self._before: Board | None = None
        self.resigned = False
        opening = int(self.games.to_play()[0])
        self.person: int | None = None if watch else self._seat(opening, first)

    def _seat(self, opening: int, first: bool) -> int:
        if self.spec.players == 1:
            return 0
        return opening if first else 1 - opening

    @property
    def over(self) -> bool:
        return self.resigned or self.to_play == NO_PLAYER or self.cut

    @property
    def cut(self) -> bool:
        """True once a game without an end of its own has reached the move limit of evaluations."""
        return self.person is None and self.to_play != NO_PLAYER and len(self._past) >= self._longest

    @property
    def moves(self) -> int:
        """Moves made so far."""
        return len(self._past)

    @property
    def to_play(self) -> int:
        return int(self.games.to_play()[0])

    @property
    def agent_to_move(self) -> bool:
        return not self.over and self.to_play != self.person

    @property
    def returns(self) -> tuple[float, ...]:
        """Each player's return so far."""
        return tuple(self.games.returns()[0].tolist())

    @property
    def legal_moves(self) -> dict[str, int]:
        """Every legal action by its name; empty once the game is over."""
        return {} if self.over else legal_names(self.games)

    @property
    def last_move(self) -> str:
        """The name of the last move; empty before the first."""
        return self._past[-1].name if self._past else ""

    def board(self) -> Board | None:
        """The cells of the position, if they can be read."""
        return read_board(self.spec.name, self.games.render(0))

    def position(self) -> Position:
        """The current position."""
        found = seen(self.games, self._before, self.moves)
        return dataclasses.replace(found, possible=frozenset()) if self.over else found

    def result(self) -> Result | None:
        """How the game ended; None while it goes on."""
        if not self.over:
            return None
        kind, winner = self._ending()
        return Result(kind, winner, self.moves, self.returns)

    def _ending(self) -> tuple[Literal["won", "draw", "resigned", "over", "cut"], int | None]:
        if self.cut:
            return "cut", None
        if self.spec.players == 1:
            return "over", None
        if self.resigned:
            return "resigned", None if self.person is None else 1 - self.person
        returns = self.returns
        return ("draw", None) if returns[0] == returns[1] else ("won", int(np.argmax(returns)))

    def play(self, action: int) -> None:
        """Play an action of the player to move. Raises GameError for an illegal one."""
        self._past.append(_Past(self.to_play, self.games.snapshot(), move_name(self.games, action)))
        self._before = self.board()
        actions: IntArray = np.array([action], np.int32)
        self.games.step(actions)

    def think(self) -> Thought:
        """Let the agent move; returns its analysis."""
        analysis = self._search()
        found = thought(self.games, analysis, self._chosen(analysis))
        self.play(found.action)
        return found

    def hint(self) -> Thought:
        """The agent's analysis of the position, without moving."""
        analysis = self._search()
        return thought(self.games, analysis, int(analysis.result.action[0]))

    def _chosen(self, analysis: Analysis) -> int:
        """The move that the agent makes, as in evaluations."""
        found = analysis.result
        if self._repeats is None:
            return int(found.action[0])
        return int(self._repeats.choose(self.games, np.arange(1), found.action, found.policy, self.games.legal())[0])

    def _search(self) -> Analysis:
        seed = int(self._rng.integers(2**31))
        return self.agent.search(
            self.agent.observe(self.games), self.games.legal(), simulations=self.simulations, seed=seed
        )

    def undo(self) -> Undone:
        """Go back to before the person's last move, undoing the agent's replies too."""
        if self.resigned:
            self.resigned = False
            return Undone("resignation")
        own = [i for i, past in enumerate(self._past) if past.player == self.person]
        if not own:
            return Undone("nothing")
        past = self._past[own[-1]]
        earlier = engines.make(self.spec.name, 1)
        if earlier.restore(past.snapshot):
            return Undone("impossible", past.name)
        del self._past[own[-1] :]
        self.games, self._before = earlier, None
        return Undone("move", past.name)

    def swap(self) -> None:
        """Swap sides. Raises GameError in a one-player game and once the game is over."""
        if self.spec.players == 1 or self.person is None:
            raise GameError("nothing to swap here")
        if self.over:
            raise GameError("the game is over")
        self.person = 1 - self.person

    def resign(self) -> None:
        """Resign the game. Raises GameError once it is over."""
        if self.over:
            raise GameError("the game is over")
        self.resigned = True

    def again(self) -> None:
        """Start a new game with the same seats."""
        self.games.reset()
        self._past.clear()
        self._repeats = repeats_of(self.agent.spec, self.agent.config, self._seed)
        self._before, self.resigned = None, False
