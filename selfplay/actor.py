"""Plays N games in lockstep with a batched search, chooses, steps and records; never trains."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import GameBatch, Step
from muzero.config import SearchConfig, SelfPlayConfig, at
from muzero.model.protocol import Model, Sight, observed
from muzero.records import Findings, FloatArray, IntArray, MaskArray, SearchResult, Trajectory
from muzero.search.tree import TreeSearch
from selfplay.trajectory import Recorder


@dataclass
class Spent:
    """Where an actor's time went, in nanoseconds of wall clock; the parts of a search are in `TreeSearch.spent`."""

    games: int = 0
    search: int = 0
    recording: int = 0
    """Choosing moves and keeping games."""


@dataclass
class Counters:
    """What an actor has done since it began."""

    moves: int = 0
    games: int = 0
    """finished"""
    simulations: int = 0


class Actor:
    """One lockstep batch of self-play games. All randomness comes from `seed`."""

    def __init__(
        self, games: GameBatch, search: SearchConfig, config: SelfPlayConfig, seed: int, parts: int = 1,
        sight: Sight = observed,
    ) -> None:
        """sight: what the models that will play take of games."""
        self.games, self.search_config, self.config, self.sight = games, search, config, sight
        self.search = TreeSearch(search, games.spec.num_actions, games.size, parts)
        self.recorder = Recorder(games.spec, games.size)
        self.rng = np.random.default_rng(seed)
        self.counters = Counters()
        self.spent = Spent()
        self.made = np.zeros(games.size, dtype=np.int64)
        """[N] moves of the game in each row"""
        self.returns: list[float] = []
        """What the games that ended in the last move paid to player 0, in the game's own units."""
        self.cut = 0
        """How many of these `max_moves` cut: nobody saw their end."""
        self._cut = np.arange(games.size) * config.part_moves // games.size
        """[N] games are cut where their moves, modulo those of a part, are this: each row at another time, so that
        parts come one by one"""
        self.opening = np.zeros(games.size, dtype=np.int64)
        self._draw_openings(np.ones(games.size, dtype=np.bool_))

    def play(self, model: Model | None, progress: float) -> list[Trajectory]:
        """One move in every game, searched with `model` at training progress in [0, 1]; the games, or parts of games,
        that ended.

        With model None the move is uniformly random and nothing is searched (warm-up).
        """
        times = [perf_counter_ns()]
        obs, legal = self.games.observe(), self.games.legal()
        times.append(perf_counter_ns())
        result = None if model is None else self._search(model, obs, legal, progress)
        times.append(perf_counter_ns())
        if result is None:
            action, exploratory = draw_legal(legal, self.rng), np.zeros(len(legal), dtype=np.bool_)
            found = Findings.nothing(legal)
        else:
            action, exploratory = self._choose(result, legal, progress)
            found = Findings.of(result)
        times.append(perf_counter_ns())
        step = self.games.step(action)
        times.append(perf_counter_ns())
        reward, discount = self._lesson(step)
        self.recorder.add(obs, legal, found, action, exploratory, reward, discount)
        self.counters.moves += self.games.size
        self.made += 1
        ended = (step.discount == 0.0) | step.truncated
        over = ended | (self.made >= self.config.max_moves)
        finished = self._collect(over, discount)
        self.cut = int((over & ~ended).sum())
        times.append(perf_counter_ns())
        self._spend(*np.diff(times).tolist())
        return finished

    def _spend(self, observe: int, search: int, choose: int, step: int, record: int) -> None:
        self.spent.games += observe + step
        self.spent.search += search
        self.spent.recording += choose + record

    def _search(self, model: Model, obs: NDArray[Any], legal: MaskArray, progress: float) -> SearchResult:
        share = at(self.config.simulations_share, progress)
        simulations = max(1, round(share * self.search_config.simulations))
        seeds = self.rng.integers(0, 2**63, self.games.size, dtype=np.uint64)
        self.counters.simulations += simulations * self.games.size
        return self.search.run(model, self.sight(self.games, obs), legal, seeds, simulations)

    def _choose(self, result: SearchResult, legal: MaskArray, progress: float) -> tuple[IntArray, MaskArray]:
        """The move of each row, and where it was random."""
        action = result.action
        temperature = at(self.config.temperature, progress)
        if self.search_config.algorithm == "puct" and temperature > 0.0:
            early = self.made < self.config.temperature_moves
            action = np.where(early, draw_visits(result.visits, temperature, self.rng), action)
        random = self.made < self.opening
        random |= self.rng.random(len(legal)) < self.config.random_fraction
        return np.where(random, draw_legal(legal, self.rng), action).astype(np.int32), random

    def _lesson(self, step: Step) -> tuple[FloatArray, FloatArray]:
        """Rewards and discounts [N] as the learner is to see them."""
        reward, discount = step.reward, step.discount
        if self.config.clip_rewards:
            reward = np.sign(reward)
        if self.config.life_ends and step.life_lost is not None:
            discount = np.where(step.life_lost, np.float32(0.0), discount)
        return reward, discount

    def _collect(self, over: MaskArray, discount: FloatArray) -> list[Trajectory]:
        """What is whole by now for the learner; games that are `over` [N] begin anew. discount [N] is 0 where nothing
        follows."""
        part = over | (discount == 0.0)
        if self.config.part_moves > 0:
            part |= self.made % self.config.part_moves == self._cut
        finished = [self.recorder.finish(row, truncated=discount[row] != 0.0) for row in np.flatnonzero(part).tolist()]
        self.returns = self.games.returns()[over, 0].tolist() if over.any() else []
        if self.returns:
            self.counters.games += len(self.returns)
            self.made[over] = 0
            self.games.reset(over)
            self._draw_openings(over)
        return finished

    def _draw_openings(self, rows: MaskArray) -> None:
        """Random moves at the start of the next games in `rows`."""
        plies = self.rng.integers(0, self.config.opening_plies + 1, len(rows))
        opened = self.rng.random(len(rows)) < self.config.opening_fraction
        self.opening[rows] = np.where(opened, plies, 0)[rows]

    def snapshot(self) -> dict[str, Any]:
        """Everything but the recorded moves, as JSON values; the moves are in `recorder.arrays()`."""
        return {"games": self.games.snapshot(), "rng": self.rng.bit_generator.state,
                "opening": self.opening.tolist(), "made": self.made.tolist(), "counters": vars(self.counters).copy()}

    def restore(self, snapshot: dict[str, Any], moves: dict[str, NDArray[Any]]) -> int:
        """Go back to `snapshot` and recorded moves; how many games had to begin anew, as they can't be had again."""
        anew = self.games.restore(snapshot["games"])
        self.rng.bit_generator.state = snapshot["rng"]
        self.opening[:] = snapshot["opening"]
        self.counters = Counters(**snapshot["counters"])
        self.recorder.restore(moves)
        # Older versions recorded whole games alone.
        self.made[:] = snapshot.get("made", self.recorder.moves)
        self.made[anew] = self.recorder.moves[anew] = 0
        return len(anew)


def draw_legal(legal: MaskArray, rng: np.random.Generator) -> IntArray:
    """One uniformly drawn legal action for each row of legal [N, A]."""
    chosen: IntArray = np.argmax((1.0 - rng.random(legal.shape)) * legal, 1).astype(np.int32)
    return chosen


def draw_visits(visits: IntArray, temperature: float, rng: np.random.Generator) -> IntArray:
    """One action for each row of visits [N, A], in proportion to visits^(1/temperature)."""
    share = visits / np.maximum(visits.max(1, keepdims=True), 1)
    weight = np.cumsum(share ** (1.0 / temperature), 1)
    chosen: IntArray = (weight <= rng.random((len(visits), 1)) * weight[:, -1:]).sum(1).astype(np.int32)
    return chosen
