"""OpenSpiel games as batches in lockstep, under OpenSpiel's own names and parameters.

OpenSpiel's states implement the rules; arrays are filled row by row with as little Python as the binding allows,
and converted to the view of the player to move in all rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyspiel
from numpy.typing import NDArray

from games.base import NO_PLAYER, FloatArray, GameError, GameSpec, IntArray, MaskArray, Step
from games.rows import check_snapshot, row_mask, rows_to_move
from games.spiel_facts import Facts, first_line

NO_ACTION = -1
"""Padding after the last action of a shorter history."""


class ObservationWriter:
    """Writes OpenSpiel's observation tensors of states into given arrays."""

    def __init__(self, facts: Facts) -> None:
        observer = facts.game.make_observer(pyspiel.IIGObservationType(perfect_recall=False), {})
        self._observation = pyspiel._Observation(facts.game, observer)
        # Shared memory: overwritten by each set_from.
        tensor: FloatArray = np.frombuffer(self._observation, np.float32)
        self._tensor = tensor.data
        self.frame = (facts.history, facts.viewpoints, tensor.size)
        """Shape of what is stored of one position: frames, newest first, from each viewpoint."""

    @staticmethod
    def newest(frames: FloatArray) -> list[list[memoryview]]:
        """Where the newest frame of each row of frames [N, history, viewpoints, F] is written."""
        # At this size, copying between memoryviews costs a third of copying between arrays.
        return [[frame.data for frame in row[0]] for row in frames]

    def write(self, state: Any, player: int, frames: Sequence[memoryview]) -> None:
        """Write the newest frame: `player`'s, or each viewpoint's where there are two."""
        if len(frames) == 1:
            self._observation.set_from(state, player)
            frames[0][:] = self._tensor
            return
        for viewpoint, frame in enumerate(frames):
            self._observation.set_from(state, viewpoint)
            frame[:] = self._tensor


class OpenSpielBatch:
    """N states of one OpenSpiel game. See `games.base.GameBatch` for the contract of each method."""

    def __init__(self, facts: Facts, size: int, seed: int) -> None:
        if size < 1:
            raise GameError(f"{facts.spec.name}: expected a batch of 1 game or more, got size={size}")
        self.spec: GameSpec = facts.spec
        self.size = size
        self._facts = facts
        self._rng = np.random.default_rng(seed)
        self._writer = ObservationWriter(facts)
        self._frames: FloatArray = np.zeros((size, *self._writer.frame), np.float32)
        self._newest = self._writer.newest(self._frames)
        self._legal: MaskArray = np.zeros((size, self.spec.num_actions), np.bool_)
        self._to_play: IntArray = np.full(size, NO_PLAYER, np.int32)
        self._returns: NDArray[np.float64] = np.zeros((size, self.spec.players))
        self._states: list[Any] = [None] * size
        self.reset()

    def reset(self, rows: MaskArray | None = None) -> None:
        """Start new games in `rows` (bool [N]; all when None)."""
        chosen = range(self.size) if rows is None else np.flatnonzero(row_mask(rows, self.size)).tolist()
        new_state = self._facts.game.new_initial_state
        for row in chosen:
            self._states[row] = new_state()
        self._frames[chosen] = 0
        self._returns[chosen] = 0
        self._settle(chosen)

    def observe(self) -> NDArray[Any]:
        """Observations [N, *O] from the view of the player to move; zeros in finished rows."""
        return self._facts.orient(self._frames, self._to_play)

    def legal(self) -> MaskArray:
        """Legal moves [N, A]."""
        return self._legal.copy()

    def to_play(self) -> IntArray:
        """Player to move [N], `NO_PLAYER` in finished rows."""
        return self._to_play.copy()

    def returns(self) -> NDArray[np.float64]:
        """Sum of each player's rewards so far [N, players]."""
        return self._returns.copy()

    def step(self, actions: IntArray, rows: MaskArray | None = None) -> Step:
        """Play actions [N] in `rows` (all unfinished rows when None)."""
        chosen = self._checked(actions, rows)
        states, mover = self._states, self._to_play[chosen]
        played = np.asarray(actions)[chosen].tolist()
        before = self._returns[chosen, mover]
        try:
            for row, action in zip(chosen.tolist(), played, strict=True):
                states[row].apply_action(action)
            self._settle(chosen.tolist())
        except pyspiel.SpielError as error:
            raise GameError(f"{self.spec.name}: OpenSpiel failed: {first_line(error)}") from error
        following = self._to_play[chosen]
        reward = np.zeros(self.size, np.float32)
        discount = np.zeros(self.size, np.float32)
        reward[chosen] = self._returns[chosen, mover] - before
        discount[chosen] = np.where(following == NO_PLAYER, 0, np.where(following == mover, 1, -1))
        return Step(reward, discount, np.zeros(self.size, np.bool_))

    def snapshot(self) -> dict[str, Any]:
        """Positions as action histories, chance included, and the random state."""
        return {
            "game": self.spec.name,
            "histories": [list(state.history()) for state in self._states],
            "random": self._rng.bit_generator.state,
        }

    def restore(self, snapshot: dict[str, Any]) -> list[int]:
        """Go back to a snapshot of a batch of the same game and size; works for every row."""
        histories = snapshot["histories"]
        check_snapshot(snapshot, self.spec.name, self.size, histories)
        for row, history in enumerate(histories):
            self.set_history(row, history)
        self._rng.bit_generator.state = snapshot["random"]
        return []

    def set_history(self, row: int, history: Sequence[int]) -> None:
        """Put one row in the position after `history`, the actions from the start, chance included."""
        passed = self._replayed(history)
        self._frames[row] = 0
        for state in passed[:-1][-self._facts.history :]:
            self._frames[row, 1:] = self._frames[row, :-1]
            self._writer.write(state, state.current_player(), self._newest[row])
        self._states[row] = passed[-1]
        self._returns[row] = 0
        self._settle([row])

    def state(self, row: int) -> Any:
        """A copy of the row's `pyspiel.State`, for bots and solvers."""
        return self._states[row].clone()

    def histories(self) -> IntArray:
        """The actions of each game from its start, chance included: [N, T], T the longest, padded with `NO_ACTION`."""
        histories = [state.history() for state in self._states]
        lengths = np.array([len(history) for history in histories])
        padded: IntArray = np.full((self.size, lengths.max()), NO_ACTION, np.int32)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = [action for h in histories for action in h]
        return padded

    def render(self, row: int) -> str:
        """OpenSpiel's text of the position."""
        return str(self._states[row])

    def action_name(self, row: int, action: int) -> str:
        """OpenSpiel's text of a legal action; `#action` for an illegal one."""
        if not (0 <= action < self.spec.num_actions and self._legal[row, action]):
            return f"#{action}"
        return str(self._states[row].action_to_string(int(self._to_play[row]), action))

    def _settle(self, rows: Sequence[int] | range) -> None:
        """Sample chance events in `rows` and bring the arrays up to date with the states."""
        if not rows:
            return
        actions: list[int] = []
        counts: list[int] = []
        players: list[int] = []
        pays_on_the_way = self.spec.rewards_on_the_way
        if self._facts.history > 1:
            self._frames[rows, 1:] = self._frames[rows, :-1]
        for row in rows:
            state = self._states[row]
            if self.spec.stochastic:
                self._play_chance(state)
            player = state.current_player()
            if player < 0:
                self._frames[row] = 0
                self._returns[row] = state.returns()
                players.append(NO_PLAYER)
                counts.append(0)
                continue
            if pays_on_the_way:
                self._returns[row] = state.returns()
            self._writer.write(state, player, self._newest[row])
            moves = state.legal_actions()
            actions += moves
            counts.append(len(moves))
            players.append(player)
        self._to_play[rows] = players
        self._legal[rows] = False
        self._legal[np.repeat(rows, counts), actions] = True

    def _play_chance(self, state: Any) -> None:
        while state.is_chance_node():
            outcomes = state.chance_outcomes()
            state.apply_action(_sample(outcomes, self._rng.random()))

    def _replayed(self, history: Sequence[int]) -> list[Any]:
        """The decision states along `history`, and the state after it."""
        state = self._facts.game.new_initial_state()
        decisions: list[Any] = []
        for count, action in enumerate(history):
            if state.is_terminal() or action not in state.legal_actions():
                raise GameError(f"{self.spec.name}: {action} is illegal after {list(history[:count])}")
            if self._facts.history > 1 and not state.is_chance_node():
                decisions.append(state.clone())
            state.apply_action(action)
        return [*decisions, state]

    def _checked(self, actions: IntArray, rows: MaskArray | None) -> NDArray[np.intp]:
        """Row indices to move, after checking that every move is possible."""
        played, chosen = rows_to_move(self.spec.name, actions, rows, self._to_play == NO_PLAYER)
        moves = played[chosen]
        inside = (moves >= 0) & (moves < self.spec.num_actions)
        fine = inside & self._legal[chosen, np.where(inside, moves, 0)]
        if not fine.all():
            row = int(chosen[~fine][0])
            legal = np.flatnonzero(self._legal[row])
            some = " ".join(map(str, legal[:20])) + (" ..." if legal.size > 20 else "")
            raise GameError(f"{self.spec.name}: row {row}: {int(played[row])} is illegal; legal: {some}")
        return chosen


def _sample(outcomes: Iterable[tuple[int, float]], uniform: float) -> int:
    """The chance outcome drawn by inverting the cumulative distribution at `uniform` in [0, 1)."""
    last, total = 0, 0.0
    for outcome, probability in outcomes:
        last = outcome
        total += probability
        if uniform < total:
            break
    return last
