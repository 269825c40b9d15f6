"""The true rules of an OpenSpiel game for tree search: positions held by handle, stepped in batches.

A search refers to a position by a number, its handle. Each new set of roots forgets all earlier positions, and no
number is ever reused, so a handle of an older search is refused instead of meaning another position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyspiel
from numpy.typing import NDArray

from games.base import NO_PLAYER, FloatArray, GameError, IntArray, MaskArray
from games.open_spiel import NO_ACTION, ObservationWriter
from games.spiel_facts import Facts, first_line, load_facts

START_ROOM = 256
"""Initial capacity, in positions."""


@dataclass(frozen=True)
class Reached:
    """M positions, each after one move (or M roots)."""

    handle: NDArray[np.int64]
    """[M]"""
    reward: FloatArray
    """[M] of the move, for the player who made it"""
    discount: FloatArray
    """[M] +1 if the same player moves next, -1 if the other one does, 0 if the game is over"""
    going: MaskArray
    """[M] True if the game goes on"""
    obs: NDArray[Any]
    """[G, *O] observations of the G positions where it does"""
    legal: MaskArray
    """[G, A]"""


class Positions:
    """The positions of one search. Raises GameError for a game with chance."""

    _frames: FloatArray
    """[room, history, viewpoints, F]"""
    _legal: MaskArray
    """[room, A]"""
    _to_play: IntArray
    """[room]"""
    _returns: NDArray[np.float64]
    """[room, players]"""

    def __init__(self, name: str) -> None:
        self._facts: Facts = load_facts(name)
        self.spec = self._facts.spec
        if self.spec.stochastic:
            raise GameError(f"{self.spec.name}: its true rules can't be searched, as it has chance events")
        self._writer = ObservationWriter(self._facts)
        self._first = 0
        """Handle of the oldest position held."""
        self._states: list[Any] = []
        self._reserve(START_ROOM)

    def _reserve(self, room: int) -> None:
        """Grow the arrays to this many positions; keeps those held."""
        held = len(self._states)
        arrays: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "_frames": (self._writer.frame, np.float32), "_legal": ((self.spec.num_actions,), np.bool_),
            "_to_play": ((), np.int32), "_returns": ((self.spec.players,), np.float64)}
        for name, (shape, dtype) in arrays.items():
            larger = np.zeros((room, *shape), dtype)
            if held:
                larger[:held] = getattr(self, name)[:held]
            setattr(self, name, larger)
        self._newest = self._writer.newest(self._frames)

    def begin(self, histories: NDArray[np.integer[Any]]) -> Reached:
        """New roots after histories [B, T], padded with `NO_ACTION`; all earlier positions are forgotten.

        Raises GameError for an illegal history or one at whose end the game is over.
        """
        if histories.ndim != 2 or not np.issubdtype(histories.dtype, np.signedinteger):
            raise GameError(f"{self.spec.name}: expected action histories int [B, T], got {histories.dtype} "
                            f"{list(histories.shape)}")
        self._first += len(self._states)
        self._states = []
        rows = self._make_room(len(histories))
        self._frames[rows] = 0
        try:
            for row, history in enumerate(histories.tolist()):
                self._states.append(self._replayed(row, history))
        except pyspiel.SpielError as error:
            raise GameError(f"{self.spec.name}: OpenSpiel failed: {first_line(error)}") from error
        self._settle(rows)
        if (self._to_play[rows] == NO_PLAYER).any():
            row = int(np.argmax(self._to_play[rows] == NO_PLAYER))
            raise GameError(f"{self.spec.name}: the game in row {row} is over; nothing to search")
        nothing: FloatArray = np.zeros(len(histories), np.float32)
        return self._reached(rows, nothing, nothing)

    def _replayed(self, row: int, history: list[int]) -> Any:
        """The state after `history`; also fills in the frames of the positions just before it."""
        while history and history[-1] == NO_ACTION:
            history.pop()
        state = self._facts.game.new_initial_state()
        for count, action in enumerate(history):
            if state.is_terminal() or action not in state.legal_actions():
                raise GameError(f"{self.spec.name}: {action} is illegal after {history[:count]}")
            if len(history) - count < self._facts.history:
                self._frames[row, 1:] = self._frames[row, :-1]
                self._writer.write(state, state.current_player(), self._newest[row])
            state.apply_action(action)
        if self._facts.history > 1:
            self._frames[row, 1:] = self._frames[row, :-1]
        return state

    def move(self, handles: NDArray[np.int64], actions: NDArray[np.integer[Any]]) -> Reached:
        """Play actions [M] in the positions of handles [M], which stay valid. Raises GameError for an illegal action
        or a forgotten position."""
        before = self._known(handles, actions)
        states = self._states
        rows = self._make_room(len(before))
        if self._facts.history > 1:
            self._frames[rows, 1:] = self._frames[before, :-1]
        try:
            for row, action in zip(before.tolist(), actions.tolist(), strict=True):
                state = states[row].clone()
                state.apply_action(action)
                states.append(state)
            self._settle(rows)
        except pyspiel.SpielError as error:
            raise GameError(f"{self.spec.name}: OpenSpiel failed: {first_line(error)}") from error
        mover, following = self._to_play[before], self._to_play[rows]
        numbers = np.arange(len(before))
        reward = self._returns[rows][numbers, mover] - self._returns[before, mover]
        discount = np.where(following == NO_PLAYER, 0, np.where(following == mover, 1, -1))
        return self._reached(rows, reward.astype(np.float32), discount.astype(np.float32))

    def _known(self, handles: NDArray[np.int64], actions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Rows [M] of the handles, after checking that actions [M] are legal there."""
        rows = handles - self._first
        held = (rows >= 0) & (rows < len(self._states))
        if not held.all():
            raise GameError(f"{self.spec.name}: position {int(handles[~held][0])} isn't held any more: a newer search "
                            "uses the same Positions; give each search its own")
        inside = (actions >= 0) & (actions < self.spec.num_actions)
        fine = inside & self._legal[rows, np.where(inside, actions, 0)]
        if not fine.all():
            index = int(np.argmin(fine))
            history = self._states[int(rows[index])].history()
            raise GameError(f"{self.spec.name}: the search tried {int(actions[index])}, illegal after {history}")
        return rows

    def _make_room(self, count: int) -> slice:
        """Allocate the next `count` rows."""
        start = len(self._states)
        room = len(self._legal)
        if start + count > room:
            self._reserve(max(2 * room, start + count))
        return slice(start, start + count)

    def _settle(self, rows: slice) -> None:
        """Bring the arrays up to date with the states of `rows`."""
        actions: list[int] = []
        counts: list[int] = []
        players: list[int] = []
        pays_on_the_way, write, newest = self.spec.rewards_on_the_way, self._writer.write, self._newest
        self._returns[rows] = 0
        for row in range(rows.start, rows.stop):
            state = self._states[row]
            player = state.current_player()
            if player < 0:
                self._returns[row] = state.returns()
                players.append(NO_PLAYER)
                counts.append(0)
                continue
            if pays_on_the_way:
                self._returns[row] = state.returns()
            write(state, player, newest[row])
            moves = state.legal_actions()
            actions += moves
            counts.append(len(moves))
            players.append(player)
        self._to_play[rows] = players
        self._legal[rows] = False
        self._legal[np.repeat(np.arange(rows.start, rows.stop), counts), actions] = True

    def _reached(self, rows: slice, reward: FloatArray, discount: FloatArray) -> Reached:
        to_play = self._to_play[rows]
        going: MaskArray = to_play != NO_PLAYER
        obs = np.zeros((0, *self.spec.observation_shape), self.spec.observation_dtype)
        if going.any():
            obs = self._facts.orient(self._frames[rows][going], to_play[going])
        handle = np.arange(self._first + rows.start, self._first + rows.stop)
        return Reached(handle, reward, discount, going, obs, self._legal[rows][going])
