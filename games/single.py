"""Your own game as a class, and `Lockstep`, which turns it into a `GameBatch` of N games.

A class needs a `spec` and the methods of `games.guard.SingleGame`, nothing else: no base class, no registration. Its
name is `module:Class` or `path/to/file.py:Class`; `games/examples/subtraction.py` is a complete example.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import NO_PLAYER, GameError, GameSpec, IntArray, MaskArray, Step
from games.guard import PASSED_ON, Guarded, SingleGame, broken
from games.naming import nearest
from games.own_names import module_of, parse_own, same_game
from games.rows import check_snapshot, row_mask, rows_to_move

START_TRIES = 100
"""Attempts to draw a start position that isn't already over."""
GameFactory = Callable[[np.random.Generator], SingleGame]


class Lockstep:
    """N single games as a `GameBatch`; see `games.base.GameBatch` for the contract of each method.

    Each game has its own random generator, seeded from (seed, number of the game), so that a snapshot consists of
    seeds and moves and needs nothing of the class.
    """

    def __init__(self, name: str, factory: GameFactory, spec: GameSpec, size: int, seed: int) -> None:
        if size < 1:
            raise GameError(f"{name}: expected a batch of 1 game or more, got size={size}")
        self.spec = dataclasses.replace(spec, name=name)
        self.size = size
        self._factory = factory
        self._seed = seed
        self._started = 0
        self._numbers = [0] * size
        self._returns: NDArray[np.float64] = np.zeros((size, spec.players))
        self._games: list[Guarded] = []
        # Runs however the batch ends: by an explicit call, by garbage collection, or at exit.
        self.close = weakref.finalize(self, _close_all, self._games)
        """Close all games, which releases what they hold; the batch can't be used afterwards."""
        try:
            for row in range(size):
                self._games.append(self._new(row))
        except BaseException:
            self.close()
            raise

    def reset(self, rows: MaskArray | None = None) -> None:
        """Start new games in `rows` (bool [N]; all when None)."""
        mask = np.ones(self.size, np.bool_) if rows is None else row_mask(rows, self.size)
        for row in np.flatnonzero(mask).tolist():
            self._replace(row, self._new(row))

    def observe(self) -> NDArray[Any]:
        """Observations [N, *O]; zeros in finished rows."""
        observations = np.zeros((self.size, *self.spec.observation_shape), self.spec.observation_dtype)
        for row, game in enumerate(self._games):
            if not game.over():
                observations[row] = game.observe()
        # Check all at once: one by one would cost more than the rest.
        if observations.dtype == np.float32 and not np.isfinite(observations).all():
            for game in self._games:
                if not game.over():
                    game.check_finite()
        return observations

    def legal(self) -> MaskArray:
        """Legal moves [N, A]; all False in finished rows."""
        mask = np.zeros((self.size, self.spec.num_actions), np.bool_)
        for row, game in enumerate(self._games):
            if not game.over():
                mask[row] = game.legal()
        return mask

    def to_play(self) -> IntArray:
        """Player to move [N], `NO_PLAYER` in finished rows."""
        players = [NO_PLAYER if game.over() else game.to_play() for game in self._games]
        return np.array(players, np.int32)

    def step(self, actions: IntArray, rows: MaskArray | None = None) -> Step:
        """Play actions [N] in `rows` (all unfinished rows when None)."""
        chosen = self._checked(actions, rows)
        reward = np.zeros(self.size, np.float32)
        discount = np.zeros(self.size, np.float32)
        truncated = np.zeros(self.size, np.bool_)
        for row in chosen:
            game, action = self._games[row], int(actions[row])
            mover = game.to_play()
            reward[row] = paid = game.step(action)
            self._returns[row, mover] += paid
            if self.spec.players == 2:
                self._returns[row, 1 - mover] -= paid
            if not game.over():
                discount[row] = 1 if game.to_play() == mover else -1
            elif game.cut():
                discount[row], truncated[row] = 1, True
        return Step(reward, discount, truncated)

    def returns(self) -> NDArray[np.float64]:
        """Sum of each player's rewards so far [N, players]."""
        return self._returns.copy()

    def snapshot(self) -> dict[str, Any]:
        """The number and the moves of each game."""
        return {
            "game": self.spec.name,
            "seed": self._seed,
            "started": self._started,
            "numbers": list(self._numbers),
            "moves": [list(game.moves) for game in self._games],
            "checksums": [game.checksum() for game in self._games],
        }

    def restore(self, snapshot: dict[str, Any]) -> list[int]:
        """Go back to a snapshot of a batch of the same game and size, by replaying its moves.

        Returns the rows of games that went differently this time, because seed and moves don't determine them; these
        rows start new games.
        """
        numbers, moves = snapshot["numbers"], snapshot["moves"]
        same = same_game(str(snapshot["game"]), self.spec.name)
        check_snapshot({"game": self.spec.name} if same else snapshot, self.spec.name, self.size, numbers)
        # Older versions stored no checksums.
        checksums = snapshot.get("checksums", [None] * self.size)
        self._seed = snapshot["seed"]
        astray = [row for row, known in enumerate(zip(numbers, moves, checksums, strict=True))
                  if not self._replayed(row, *known)]
        self._started = snapshot["started"]
        self.reset(np.isin(np.arange(self.size), astray))
        return astray

    def _replayed(self, row: int, number: int, moves: list[int], checksum: int | None) -> bool:
        """Replay a game in its row; False if it went differently."""
        self._replace(row, self._begun(row, number))
        self._numbers[row] = number
        only = np.arange(self.size) == row
        try:
            for move in moves:
                self.step(np.full(self.size, move, np.int32), only)
            stuck = not moves and self._games[row].over()
            return not stuck and checksum in (None, self._games[row].checksum())
        except GameError:
            # A move that was legal isn't any more, or the game is over too soon.
            return False

    def render(self, row: int) -> str:
        """The position as text."""
        return self._games[row].render()

    def action_name(self, row: int, action: int) -> str:
        """The class's text of a legal action; `#action` for an illegal one."""
        game = self._games[row]
        return game.action_name(action) if self._legal_in(row, action) else f"#{action}"

    def _legal_in(self, row: int, action: int) -> bool:
        game = self._games[row]
        return not game.over() and 0 <= action < self.spec.num_actions and bool(game.legal()[action])

    def _replace(self, row: int, game: Guarded) -> None:
        """Put another game into a row; closes the previous one."""
        before, self._games[row] = self._games[row], game
        self._returns[row] = 0
        before.close()

    def _new(self, row: int) -> Guarded:
        """A new game: the next number whose start position isn't already over."""
        for _ in range(START_TRIES):
            number = self._started
            self._started += 1
            game = self._begun(row, number)
            if not game.over():
                self._numbers[row] = number
                return game
            game.close()
        raise GameError(f"{self.spec.name}: row {row}: expected a start position with a move to make, got "
                        f"{START_TRIES} in a row that are already over")

    def _begun(self, row: int, number: int) -> Guarded:
        generator = np.random.default_rng((self._seed, number))
        try:
            game = self._factory(generator)
        except PASSED_ON:
            raise
        except BaseException as error:
            raise broken(f"{self.spec.name}: row {row}: a new game", error) from error
        return Guarded(game, self.spec, row)

    def _checked(self, actions: IntArray, rows: MaskArray | None) -> list[int]:
        """Row indices to move, after checking that every move is possible."""
        over = np.array([game.over() for game in self._games])
        played, rows_chosen = rows_to_move(self.spec.name, actions, rows, over)
        chosen: list[int] = rows_chosen.tolist()
        for row in chosen:
            if not self._legal_in(row, int(played[row])):
                some = " ".join(map(str, np.flatnonzero(self._games[row].legal())[:20]))
                raise GameError(f"{self.spec.name}: row {row}: {int(played[row])} is illegal; legal: {some}")
        return chosen


def _close_all(games: list[Guarded]) -> None:
    """Close every game, then raise a Ctrl-C if there was one, else the first GameError."""
    errors: list[BaseException] = []
    for game in games:
        try:
            game.close()
        except (*PASSED_ON, GameError) as error:
            errors.append(error)
    if errors:
        raise next((error for error in errors if isinstance(error, PASSED_ON)), errors[0])


def load_own(name: str) -> tuple[GameFactory, GameSpec]:
    """The class of an own game and its spec. Raises GameError that says what is missing."""
    own = parse_own(name)
    if own is None:
        raise GameError(f"game {name!r}: expected 'module:Class' or 'path/to/file.py:Class'")
    where, attribute = own.where, own.attribute
    module = module_of(own)
    if not hasattr(module, attribute):
        raise GameError(f"game {name!r}: {where} has no class {attribute!r}, and registers no environment of that id"
                        f"{nearest(attribute, [key for key, kept in vars(module).items() if isinstance(kept, type)])}")
    if own.arguments:
        raise GameError(f"game {name!r}: arguments are for environments of Gymnasium, which {attribute} is not")
    factory = getattr(module, attribute)
    spec = getattr(factory, "spec", None)
    if not isinstance(spec, GameSpec):
        raise GameError(f"game {name!r}: {attribute} has no attribute 'spec' of type games.GameSpec")
    missing = [
        m
        for m in ("to_play", "legal", "step", "over", "observe", "render", "action_name")
        if not callable(getattr(factory, m, None))
    ]
    if missing:
        raise GameError(f"game {name!r}: {attribute} lacks {', '.join(missing)}; see docs/guides/own_game.md")
    return factory, spec
