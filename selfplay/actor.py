"""The self-play actor: plays N games in lockstep (plan, choose, step, record)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, IntArray, MaskArray, Step
from selfplay.planner import Plan, Planner
from selfplay.recorder import Recorder
from selfplay.schedule import at
from selfplay.settings import SelfPlayConfig
from selfplay.stopwatch import Stopwatch
from selfplay.trajectory import UNNUMBERED, StoredPlan, Trajectory

SEEDS, COUNT_BITS = 1 << 21, 31
"""A game's number holds its actor's seed, modulo SEEDS, and a count below 2^COUNT_BITS; see `NUMBERS`."""


@dataclass
class ActorTime(Stopwatch):
    """Where an actor's time went, in nanoseconds of wall-clock time; planners keep their own."""

    games: int = 0
    search: int = 0
    recording: int = 0
    """Choosing moves and recording games."""


@dataclass
class Counters:
    """What an actor has done since it started."""

    moves: int = 0
    games: int = 0
    """finished"""
    simulations: int = 0


class Actor:
    """One lockstep batch of self-play games. All randomness comes from `seed`."""

    def __init__(self, games: GameBatch, config: SelfPlayConfig, seed: int, numbered: bool = False) -> None:
        """numbered: games get numbers, `Trajectory.number`; those of other seeds have others."""
        self.games, self.config = games, config
        self.recorder = Recorder(games.spec, games.size)
        self.rng = np.random.default_rng(seed)
        self.counters = Counters()
        self.spent = ActorTime()
        self.made = np.zeros(games.size, dtype=np.int64)
        """[N] moves of the game in each row"""
        self.returns: list[float] = []
        """Player 0's returns in the games that the last move ended, in the game's own units."""
        self.cut = 0
        """How many of these games were truncated by `max_moves`."""
        self._cut = np.arange(games.size) * config.part_moves // games.size
        """[N] a game is cut into parts where its number of moves modulo `part_moves` is this: different in each row,
        so that parts arrive evenly"""
        self.numbered, self._first = numbered, 1 + (seed % SEEDS << COUNT_BITS)
        self.numbers = np.full(games.size, UNNUMBERED, dtype=np.int64)
        """[N] number of the game in each row"""
        self._number(np.ones(games.size, dtype=np.bool_))
        self.opening = np.zeros(games.size, dtype=np.int64)
        self._draw_openings(np.ones(games.size, dtype=np.bool_))

    def play(self, planner: Planner | None, progress: float) -> list[Trajectory]:
        """Play one move in every game, chosen by `planner` at training progress in [0, 1]; returns the finished games
        or parts of games.

        Without a planner the move is uniformly random (warm-up).
        """
        spent = self.spent
        spent.start()
        obs, legal = self.games.observe(), self.games.legal()
        spent.games += spent.lap()
        plan = None if planner is None else self._plan(planner, obs, legal, progress)
        spent.search += spent.lap()
        if plan is None:
            action, exploratory = draw_legal(legal, self.rng), np.zeros(len(legal), dtype=np.bool_)
            found = StoredPlan.nothing(legal)
        else:
            action, exploratory = self._choose(plan, legal, progress)
            found = StoredPlan.of(plan)
        spent.recording += spent.lap()
        step = self.games.step(action)
        spent.games += spent.lap()
        reward, discount = lesson(step, self.config)
        self.recorder.add(obs, legal, found, action, exploratory, reward, discount)
        self.counters.moves += self.games.size
        self.made += 1
        ended = (step.discount == 0.0) | step.truncated
        over = ended | (self.made >= self.config.max_moves)
        finished = self._collect(over, discount)
        self.cut = int((over & ~ended).sum())
        spent.recording += spent.lap()
        return finished

    def _plan(self, planner: Planner, obs: NDArray[Any], legal: MaskArray, progress: float) -> Plan:
        effort = at(self.config.simulations_share, progress)
        seeds = self.rng.integers(0, 2**63, self.games.size, dtype=np.uint64)
        plan = planner.plan(planner.view(self.games, obs, self.numbers), legal, seeds, effort)
        self.counters.simulations += plan.work * self.games.size
        return plan

    def _choose(self, plan: Plan, legal: MaskArray, progress: float) -> tuple[IntArray, MaskArray]:
        """The move of each row, and where it was random."""
        action = plan.action
        temperature = at(self.config.temperature, progress)
        if plan.weights is not None and temperature > 0.0:
            early = self.made < self.config.temperature_moves
            action = np.where(early, draw_weighted(plan.weights, temperature, self.rng), action)
        random = self.made < self.opening
        random |= self.rng.random(len(legal)) < self.config.random_fraction
        return np.where(random, draw_legal(legal, self.rng), action).astype(np.int32), random

    def _collect(self, over: MaskArray, discount: FloatArray) -> list[Trajectory]:
        """Trajectories now complete for the learner; resets the games that are `over` [N]. discount [N] is 0 where
        nothing follows."""
        part = over | (discount == 0.0)
        if self.config.part_moves > 0:
            part |= self.made % self.config.part_moves == self._cut
        finished = [self.recorder.finish(row, truncated=discount[row] != 0.0, number=int(self.numbers[row]))
                    for row in np.flatnonzero(part).tolist()]
        self.returns = self.games.returns()[over, 0].tolist() if over.any() else []
        if self.returns:
            self.counters.games += len(self.returns)
            self.made[over] = 0
            self._number(over)
            self.games.reset(over)
            self._draw_openings(over)
        return finished

    def _number(self, rows: MaskArray) -> None:
        """Number the games that begin in `rows` [N], in the order in which this actor's games begin."""
        if self.numbered:
            new = int(rows.sum())
            self.numbers[rows] = self._first + self.games.size + self.counters.games - new + np.arange(new)

    def _draw_openings(self, rows: MaskArray) -> None:
        """Draw how many random moves open the next games in `rows`."""
        plies = self.rng.integers(0, self.config.opening_plies + 1, len(rows))
        opened = self.rng.random(len(rows)) < self.config.opening_fraction
        self.opening[rows] = np.where(opened, plies, 0)[rows]

    def snapshot(self) -> dict[str, Any]:
        """Everything but the recorded moves, as JSON values; the moves are in `recorder.arrays()`."""
        numbers = {"numbers": self.numbers.tolist()} if self.numbered else {}
        return {"games": self.games.snapshot(), "rng": self.rng.bit_generator.state, **numbers,
                "opening": self.opening.tolist(), "made": self.made.tolist(), "counters": vars(self.counters).copy()}

    def restore(self, snapshot: dict[str, Any], moves: dict[str, NDArray[Any]]) -> int:
        """Go back to `snapshot` and the recorded moves; returns how many games couldn't be restored and start again."""
        anew = self.games.restore(snapshot["games"])
        self.rng.bit_generator.state = snapshot["rng"]
        self.opening[:] = snapshot["opening"]
        self.counters = Counters(**snapshot["counters"])
        self.recorder.restore(moves)
        # Older versions recorded only whole games.
        self.made[:] = snapshot.get("made", self.recorder.moves)
        self.made[anew] = self.recorder.moves[anew] = 0
        if self.numbered:
            self.numbers[:] = snapshot["numbers"]
        return len(anew)


def lesson(step: Step, config: SelfPlayConfig) -> tuple[FloatArray, FloatArray]:
    """Rewards and discounts [N] of a step as the learner should see them."""
    reward, discount = step.reward, step.discount
    if config.clip_rewards:
        reward = np.sign(reward)
    if config.life_ends and step.life_lost is not None:
        discount = np.where(step.life_lost, np.float32(0.0), discount)
    return reward, discount


def draw_legal(legal: MaskArray, rng: np.random.Generator) -> IntArray:
    """One uniformly drawn legal action for each row of legal [N, A]."""
    chosen: IntArray = np.argmax((1.0 - rng.random(legal.shape)) * legal, 1).astype(np.int32)
    return chosen


def draw_weighted(weights: IntArray | FloatArray, temperature: float, rng: np.random.Generator) -> IntArray:
    """One action for each row of weights [N, A], such as visit counts, in proportion to weights^(1/temperature)."""
    share = weights / np.maximum(weights.max(1, keepdims=True), 1)
    weight = np.cumsum(share ** (1.0 / temperature), 1)
    chosen: IntArray = (weight <= rng.random((len(weights), 1)) * weight[:, -1:]).sum(1).astype(np.int32)
    return chosen
