"""Continuations of real games: what really follows when a source of actions takes over at a position.

Shape letters: N games in lockstep, T moves of a continuation, A actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from games.base import FloatArray, GameBatch, GameSpec, IntArray, MaskArray
from muzero.validation.sample import Sample
from selfplay.actor import lesson
from selfplay.settings import SelfPlayConfig

GAMES_AT_ONCE = 64
"""Games played in lockstep."""


class Mover(Protocol):
    """Chooses legal actions."""

    def __call__(self, batch: GameBatch, rows: MaskArray, rng: np.random.Generator) -> IntArray:
        """Actions [N]; those outside `rows` [N] aren't read. At least one row is in `rows`."""


@dataclass(frozen=True)
class Movers:
    """Who moves when."""

    before: Mover
    """up to the position where a continuation begins"""
    first: Mover
    """at that position"""
    after: Mover
    """at all later ones"""


@dataclass(frozen=True)
class Wanted:
    """What continuations are collected."""

    count: int
    depth: int
    """T, moves of each; fewer where a game ends"""
    starts: int
    """a continuation begins after 0 to `starts` - 1 further moves of its game, drawn uniformly"""
    wait: int = 0
    """moves of a continuation in which the end of its game is awaited, so that its returns are known"""

    @property
    def enough(self) -> int:
        """Moves after which a continuation is over at the latest: its last position is looked at, too."""
        return max(self.wait, self.depth + 1)


Truth = Callable[[GameBatch, int], float]
"""Value under perfect play of a row's position for the player to move; NaN if unknown."""


@dataclass
class _Row:
    """A continuation under way: how many moves there are before it, and what has been seen of it."""

    ahead: int
    seen: list[tuple[Any, MaskArray, int, float]] = field(default_factory=list)
    """observation, legal actions, action and truth at the first T + 1 positions"""
    paid: list[tuple[float, float]] = field(default_factory=list)
    """reward and signed discount of every move"""


class Collector:
    """Plays games in lockstep and keeps continuations of them, equally many in each row: the first to end would be the
    short ones."""

    def __init__(
        self, batch: GameBatch, movers: Movers, wanted: Wanted, config: SelfPlayConfig, seed: int,
        truth: Truth | None = None,
    ) -> None:
        """config: what the learner sees of rewards and ends."""
        self.batch, self.movers, self.wanted, self.config, self.truth = batch, movers, wanted, config, truth
        self.rng = np.random.default_rng(seed)
        self.rows = [self._row() for _ in range(batch.size)]
        self.found: list[list[_Row]] = [[] for _ in range(batch.size)]

    def collect(self, gamma: float) -> Sample:
        """The sample of what was wanted; gamma: discount per move of its returns."""
        each = -(-self.wanted.count // self.batch.size)
        while min(map(len, self.found)) < each:
            self._move()
        rows = [found[turn] for turn in range(each) for found in self.found]
        sample = _stacked(rows[: self.wanted.count], self.batch.spec, self.wanted.depth, gamma)
        if self.movers.first is not self.movers.after:
            # As in training: a return says nothing of a position whose first move was another one's.
            sample.returns[:, 0] = np.nan
        return sample

    def _row(self) -> _Row:
        return _Row(int(self.rng.integers(self.wanted.starts)))

    def _move(self) -> None:
        """One move in every game. Where a game goes on after a continuation, the next one begins later in it."""
        obs, legal, actions = self.batch.observe(), self.batch.legal(), self._actions()
        self._see(obs, legal, actions)
        step = self.batch.step(actions)
        reward, discount = lesson(step, self.config)
        ended = (step.discount == 0.0) | step.truncated
        for number, row in enumerate(self.rows):
            if row.ahead > 0:
                row.ahead -= 1
                over = bool(ended[number])
            else:
                row.paid.append((float(reward[number]), float(discount[number])))
                over = bool(ended[number] or discount[number] == 0.0) or len(row.paid) >= self.wanted.enough
            if over:
                if row.paid:
                    self.found[number].append(row)
                self.rows[number] = self._row()
        if ended.any():
            self.batch.reset(ended)

    def _actions(self) -> IntArray:
        since = np.array([len(row.paid) - row.ahead for row in self.rows])
        actions = np.zeros(self.batch.size, np.int32)
        for mover, turn in ((self.movers.before, since < 0), (self.movers.first, since == 0),
                            (self.movers.after, since > 0)):
            if turn.any():
                actions[turn] = mover(self.batch, turn, self.rng)[turn]
        return actions

    def _see(self, obs: Any, legal: MaskArray, actions: IntArray) -> None:
        for number, row in enumerate(self.rows):
            if row.ahead == 0 and len(row.seen) <= self.wanted.depth:
                exact = np.nan if self.truth is None else self.truth(self.batch, number)
                row.seen.append((obs[number].copy(), legal[number].copy(), int(actions[number]), exact))


def _returns(row: _Row, depth: int, gamma: float) -> FloatArray:
    """[T+1] discounted sums from each of the first positions on; NaN if the game's end wasn't seen, 0 past it."""
    found: FloatArray = np.zeros(depth + 1, np.float32)
    if row.paid[-1][1] != 0.0:
        found[:] = np.nan
        return found
    total = 0.0
    for index, (reward, discount) in reversed(list(enumerate(row.paid))):
        total = reward + gamma * discount * total
        if index <= depth:
            found[index] = total
    return found


def _stacked(rows: list[_Row], spec: GameSpec, depth: int, gamma: float) -> Sample:
    count, steps = len(rows), depth + 1
    truth = np.full((count, steps), np.nan, np.float32)
    sample = Sample(
        obs=np.zeros((count, steps, *spec.observation_shape), spec.observation_dtype),
        legal=np.zeros((count, steps, spec.num_actions), np.bool_), action=np.zeros((count, depth), np.int64),
        reward=np.zeros((count, depth), np.float32), discount=np.zeros((count, depth), np.float32),
        in_game=np.zeros((count, steps), np.bool_),
        returns=np.stack([_returns(row, depth, gamma) for row in rows]), truth=truth)
    for index, row in enumerate(rows):
        for step, (obs, legal, action, value) in enumerate(row.seen):
            sample.obs[index, step], sample.legal[index, step], sample.in_game[index, step] = obs, legal, True
            truth[index, step] = value
            if step < depth:
                sample.action[index, step] = action
                sample.reward[index, step], sample.discount[index, step] = row.paid[step]
    return sample
