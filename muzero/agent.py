"""A trained agent: policy, value and search statistics for batches of positions.

    agent = muzero.agent.load("tic_tac_toe")            # a shipped agent, a run, or a checkpoint folder
    analysis = agent.search(obs, legal, simulations=100)
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import games
from games.base import FloatArray, GameBatch, GameSpec, MaskArray
from games.own_names import canonical, is_own, same_game
from muzero.config import Config, ConfigError, check_outcomes, check_planner
from muzero.config.kinds import DYNAMICS
from muzero.model.build import WeightsError, build_model, search_model
from muzero.model.learned import LearnedModel
from muzero.model.protocol import SearchError
from muzero.search.inference import host
from muzero.search.nodes import HasTree, Nodes
from muzero.search.planners import ModelPlanner, planner
from muzero.storage import checkpoint, runs
from selfplay.planner import Plan

POSITIONS_AT_ONCE = 256
"""Positions searched at once; bounds the memory for latents."""


@dataclass(frozen=True)
class Analysis:
    """An agent's analysis of B positions."""

    result: Plan
    prior: FloatArray
    """[B, A] the network's policy, over legal actions"""
    raw_value: FloatArray
    """[B] the network's value for the player to move"""
    variations: list[list[int]]
    """B principal variations, starting with the action that the search would play"""


class Agent:
    """Weights and the search to play with. Positions are given as by `observe` and `GameBatch.legal`; `observe` returns
    `GameBatch.observe`, unless the game's true rules are searched."""

    def __init__(
        self, model: LearnedModel, config: Config, name: str, step: int, threads: int = 0,
        simulations: int | None = None,
    ) -> None:
        """threads and simulations: as in `load`."""
        self.model = model.eval()
        self.acting = search_model(model)
        self.config, self.name, self.step, self.threads = config, name, step, threads
        self.spec: GameSpec = model.spec
        self.simulations = config.play.simulations if simulations is None else simulations
        """Default number for each search; 0 = no search"""
        self._planners: dict[tuple[int, int], ModelPlanner] = {}

    def anew(self) -> Agent:
        """The same agent without its search buffers, which are freed with the last agent that uses them."""
        return Agent(self.model, self.config, self.name, self.step, self.threads, self.simulations)

    def observe(self, batch: GameBatch) -> NDArray[Any]:
        """Positions [N, ...] of a batch of the agent's game, for `raw` and `search`."""
        return self.acting.view(batch, batch.observe())

    see = observe
    """The old name of `observe`."""

    def raw(self, obs: NDArray[Any], legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        """Policy [B, A] over legal actions and value [B] of positions [B, ...], without search. Raises SearchError if
        the model's outputs aren't finite, ValueError for arrays of mismatched shapes."""
        obs, legal = self._checked(obs, legal)
        with torch.inference_mode(), self.on_its_threads():
            output = self.acting.root(torch.as_tensor(obs, device=self.acting.device), torch.as_tensor(legal))
            said, value = host(output.logits), host(output.value)
        if not (np.isfinite(said).all() and np.isfinite(value).all()):
            raise SearchError("the model's outputs are not finite: its logits or values hold NaN or infinity")
        logits = np.where(legal, said, -np.inf)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        return (weights / weights.sum(1, keepdims=True)).astype(np.float32), value

    def _checked(self, obs: Any, legal: Any) -> tuple[NDArray[Any], MaskArray]:
        """obs [B, ...] and legal [B, A] as arrays, also where tensors on a CPU or lists were given.

        Raises ValueError if they don't match each other or the agent's game.
        """
        obs, legal = np.asarray(obs), np.asarray(legal)
        seen, told = obs.shape, legal.shape
        if len(told) != 2 or told[1] != self.spec.num_actions:
            raise ValueError(f"legal: expected bool [B, {self.spec.num_actions}], got {list(told)}")
        # If the true rules are searched, a position is given by the moves that led to it.
        shape = self.spec.observation_shape if DYNAMICS[self.config.model.dynamics].learned else seen[1:]
        if seen != (told[0], *shape):
            raise ValueError(f"obs: expected {[told[0], *shape]}, as many as there are rows of legal, got "
                             f"{list(seen)}")
        if not (some := np.any(legal, axis=1)).all():
            raise ValueError(f"legal: expected at least one legal action, got none in row {int(np.argmin(some))}")
        return obs, legal

    def search(
        self, obs: NDArray[Any], legal: MaskArray, *, simulations: int | None = None, seed: int = 0
    ) -> Analysis:
        """Search positions obs [B, ...] with legal moves bool [B, A].

        simulations defaults to the agent's setting for play; with 0 the network's policy and value take the place of a
        search's. Equal seeds give equal results, however B is split. Raises SearchError if the model's outputs can't
        be searched, ValueError for arrays of mismatched shapes.
        """
        obs, legal = self._checked(obs, legal)
        count = self.simulations if simulations is None else simulations
        if count == 0:
            return self._unsearched(obs, legal)
        seeds = np.random.default_rng(seed).integers(0, 2**63, len(legal), dtype=np.uint64)
        parts = [self._chunk(obs[rows], legal[rows], seeds[rows], count) for rows in _chunks(len(legal))]
        prior, value = self._raw_in_chunks(obs, legal)
        variations = [variation for _, found in parts for variation in found]
        return Analysis(Plan.joined([plan for plan, _ in parts]), prior, value, variations)

    def search_tree(
        self, obs: NDArray[Any], legal: MaskArray, *, simulations: int | None = None, seed: int = 0
    ) -> tuple[Analysis, Nodes | None]:
        """`search` of one position, and the nodes of its tree; None without search, and for planners without a tree.

        Raises ValueError for more positions.
        """
        if len(obs) != 1:
            raise ValueError(f"obs: expected one position, got {len(obs)}")
        self._planners.clear()
        analysis = self.search(obs, legal, simulations=simulations, seed=seed)
        used = next(iter(self._planners.values()), None)
        return analysis, used.nodes(0) if isinstance(used, HasTree) else None

    def _raw_in_chunks(self, obs: NDArray[Any], legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        prior, value = zip(*(self.raw(obs[rows], legal[rows]) for rows in _chunks(len(legal))), strict=True)
        return np.concatenate(prior), np.concatenate(value)

    def _unsearched(self, obs: NDArray[Any], legal: MaskArray) -> Analysis:
        """The most probable move; no visits, and the position's value as the value of every action."""
        prior, value = self._raw_in_chunks(obs, legal)
        action = np.where(legal, prior, -1.0).argmax(1).astype(np.int32)
        q = np.repeat(value[:, None], legal.shape[1], 1)
        plan = Plan(np.zeros(legal.shape, np.int32), prior, q, value, action)
        return Analysis(plan, prior, value, [[int(move)] for move in action])

    def _chunk(
        self, obs: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], simulations: int
    ) -> tuple[Plan, list[list[int]]]:
        # A captured GPU step has a fixed width: some idle rows are better than a capture for each number of rows.
        trees = len(legal) if self.acting.device.type == "cpu" else POSITIONS_AT_ONCE
        key = (trees, simulations)
        if key not in self._planners:
            self._planners.clear()
            settings = dataclasses.replace(self.config.play, simulations=simulations)
            self._planners[key] = planner(self.acting, settings, trees)
        chosen = self._planners[key]
        with self.on_its_threads():
            plan = chosen.plan(obs, legal, seeds)
        return plan, [chosen.variation(row) for row in range(len(legal))]

    @contextmanager
    def on_its_threads(self) -> Iterator[None]:
        """Context in which torch uses the agent's number of threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _chunks(count: int) -> Iterator[slice]:
    """Slices of `count` positions, `POSITIONS_AT_ONCE` at a time."""
    return (slice(i, i + POSITIONS_AT_ONCE) for i in range(0, count, POSITIONS_AT_ONCE))


def load(
    path_or_game: str, *, simulations: int | None = None, noise: float | None = None, device: str = "cpu",
    own_game: str | None = None, threads: int = 1, planner: str | None = None,
) -> Agent:
    """The agent of a run's newest checkpoint, a checkpoint folder, or a game with a shipped agent.

    simulations (0 = no search), noise (0 = none) and planner (a name in `muzero.config.kinds.PLANNERS`) default to the
    agent's settings. threads: for its networks on a CPU, 0 = torch's default; small networks gain little from a second
    thread and lose much when another process occupies its core.
    A checkpoint of a user's own game names Python code, which runs only if `own_game` names the same game. Raises
    CheckpointError naming what is missing or damaged.
    """
    folder = runs.resolve(path_or_game)
    stored = checkpoint.load(folder, ["weights"])
    config = trusted(stored.config, own_game, folder)
    play = config.play if planner is None else dataclasses.replace(config.play, algorithm=planner)
    play = play if noise is None else play.with_noise(noise)
    if simulations:
        play = dataclasses.replace(play, simulations=simulations)
    spec = games.spec(config.game)
    with checkpoint.reading(folder):
        _check_outcomes(config, spec)
        model = _built(config, stored.tensors["weights"])
    settled = dataclasses.replace(config, play=play)
    check_planner(settled, "play")
    return Agent(model.to(device), settled, str(path_or_game), stored.step, threads, simulations)


def trusted(config: Config, own_game: str | None, folder: Path) -> Config:
    """`config`, with an own game under the name in `own_game`: code that is named only by a checkpoint doesn't run.
    Raises CheckpointError."""
    game = config.game
    if not is_own(game):
        return config
    if own_game is None or not same_game(game, canonical(own_game)):
        other = "" if own_game is None else f"you named {own_game}, but "
        raise checkpoint.CheckpointError(
            f"{other}{folder} was trained on the user's own game {game!r}, so loading it would run that Python code; "
            f"if you trust it, name it: own_game={game!r} (on the command line --own-game {shlex.quote(game)})")
    return dataclasses.replace(config, game=canonical(own_game))


def _check_outcomes(config: Config, spec: GameSpec) -> None:
    """Refuse an agent that no training could have produced, beyond what reading its config already refused."""
    try:
        check_outcomes(config, spec)
    except ConfigError as error:
        raise checkpoint.Damaged(f"config.json: {error}") from error


def _built(config: Config, weights: dict[str, Tensor]) -> LearnedModel:
    """The model of a stored agent. Raises Damaged."""
    try:
        return build_model(config, weights)
    except WeightsError as error:
        raise checkpoint.Damaged(str(error)) from error
