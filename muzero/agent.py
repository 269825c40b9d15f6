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
from muzero.config import Config, ConfigError, check_outcomes
from muzero.config.kinds import DYNAMICS
from muzero.model.build import WeightsError, build_model, search_model
from muzero.model.learned import LearnedModel
from muzero.model.protocol import SearchError
from muzero.search.inference import host
from muzero.search.planners import ModelPlanner, planner
from muzero.storage import checkpoint, runs
from selfplay.planner import Plan

CHUNK = 256
"""Positions searched at once; bounds the memory of latents."""


@dataclass(frozen=True)
class Analysis:
    """What an agent thinks of B positions."""

    result: Plan
    prior: FloatArray
    """[B, A] the network's own policy, over legal actions"""
    raw_value: FloatArray
    """[B] the network's own value for the player to move"""
    variations: list[list[int]]
    """B principal variations, from the action the search would play"""


class Agent:
    """Weights and the search they are played with. Positions are as `see` and `GameBatch.legal` give them; what `see`
    gives is `GameBatch.observe`, unless the game's own rules are searched."""

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
        """Of a search that isn't told how many; 0 = no search"""
        self._planners: dict[tuple[int, int], ModelPlanner] = {}

    def anew(self) -> Agent:
        """The same agent without the memory of its searches, which goes when the last who uses it does."""
        return Agent(self.model, self.config, self.name, self.step, self.threads, self.simulations)

    def see(self, batch: GameBatch) -> NDArray[Any]:
        """Positions [N, ...] of a batch of the agent's game, for `raw` and `search`."""
        return self.acting.view(batch, batch.observe())

    def raw(self, obs: NDArray[Any], legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        """Policy [B, A] over legal actions and value [B] of positions [B, ...], without any search. Raises SearchError
        where the model's numbers are not finite, ValueError for arrays that don't belong together."""
        self._check(obs, legal)
        with torch.inference_mode(), self._threads():
            output = self.acting.root(torch.as_tensor(obs, device=self.acting.device), torch.as_tensor(legal))
            said, value = host(output.logits), host(output.value)
        if not (np.isfinite(said).all() and np.isfinite(value).all()):
            raise SearchError("the model's outputs are not finite: its logits or values hold NaN or infinity")
        logits = np.where(legal, said, -np.inf)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        return (weights / weights.sum(1, keepdims=True)).astype(np.float32), value

    def _check(self, obs: NDArray[Any], legal: MaskArray) -> None:
        """Raises ValueError for positions and legal moves that don't belong together or to the agent's game."""
        seen, told = np.shape(obs), np.shape(legal)
        if len(told) != 2 or told[1] != self.spec.num_actions:
            raise ValueError(f"legal: expected bool [B, {self.spec.num_actions}], got {list(told)}")
        # Where the rules are searched, a position is the moves that led to it.
        shape = self.spec.observation_shape if DYNAMICS[self.config.model.dynamics].learned else seen[1:]
        if seen != (told[0], *shape):
            raise ValueError(f"obs: expected {[told[0], *shape]}, as many as there are rows of legal, got "
                             f"{list(seen)}")
        if not (some := np.any(legal, axis=1)).all():
            raise ValueError(f"legal: expected at least one legal action, got none in row {int(np.argmin(some))}")

    def search(
        self, obs: NDArray[Any], legal: MaskArray, *, simulations: int | None = None, seed: int = 0
    ) -> Analysis:
        """Search positions obs [B, ...] with legal moves bool [B, A].

        simulations defaults to the agent's setting for play; with 0 the network's own policy and value stand in place
        of a search's. Equal seeds give equal answers, whatever B is split into. Raises SearchError where the model's
        numbers can't be searched, ValueError for arrays that don't belong together.
        """
        self._check(obs, legal)
        count = self.simulations if simulations is None else simulations
        if count == 0:
            return self._unsearched(obs, legal)
        seeds = np.random.default_rng(seed).integers(0, 2**63, len(legal), dtype=np.uint64)
        parts = [self._chunk(obs[i : i + CHUNK], legal[i : i + CHUNK], seeds[i : i + CHUNK], count)
                 for i in range(0, len(legal), CHUNK)]
        prior, value = self._raw_in_chunks(obs, legal)
        variations = [variation for _, found in parts for variation in found]
        return Analysis(Plan.joined([plan for plan, _ in parts]), prior, value, variations)

    def _raw_in_chunks(self, obs: NDArray[Any], legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        prior, value = zip(*(self.raw(obs[i : i + CHUNK], legal[i : i + CHUNK])
                             for i in range(0, len(legal), CHUNK)), strict=True)
        return np.concatenate(prior), np.concatenate(value)

    def _unsearched(self, obs: NDArray[Any], legal: MaskArray) -> Analysis:
        """The likeliest move; no action visited, and each worth what the position is."""
        prior, value = self._raw_in_chunks(obs, legal)
        action = np.where(legal, prior, -1.0).argmax(1).astype(np.int32)
        q = np.repeat(value[:, None], legal.shape[1], 1)
        plan = Plan(np.zeros(legal.shape, np.int32), prior, q, value, action)
        return Analysis(plan, prior, value, [[int(move)] for move in action])

    def _chunk(
        self, obs: NDArray[Any], legal: MaskArray, seeds: NDArray[np.uint64], simulations: int
    ) -> tuple[Plan, list[list[int]]]:
        # A GPU's captured step has one width: better some idle rows than one capture for each number of rows.
        trees = len(legal) if self.acting.device.type == "cpu" else CHUNK
        key = (trees, simulations)
        if key not in self._planners:
            self._planners.clear()
            settings = dataclasses.replace(self.config.play, simulations=simulations)
            self._planners[key] = planner(self.acting, settings, trees)
        chosen = self._planners[key]
        with self._threads():
            plan = chosen.plan(obs, legal, seeds)
        return plan, [chosen.variation(row) for row in range(len(legal))]

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """The agent's own number of threads for what is computed inside."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def load(
    path_or_game: str, *, simulations: int | None = None, noise: float | None = None, device: str = "cpu",
    own_game: str | None = None, threads: int = 1,
) -> Agent:
    """The agent of a run's newest checkpoint, a checkpoint folder, or a game with a shipped agent.

    simulations (0 = no search) and noise (0 = none) of its searches are the agent's own unless given. threads: of its
    networks on a processor, 0 = as torch has them; small networks gain little from a second thread and lose much when
    another process holds its core.
    A checkpoint of somebody's own game names Python code; it runs only if `own_game` names the same game. Raises
    CheckpointError naming what is missing or damaged.
    """
    folder = runs.resolve(path_or_game)
    stored = checkpoint.load(folder, ["weights"])
    config = trusted(stored.config, own_game, folder)
    play = config.play if noise is None else config.play.with_noise(noise)
    if simulations:
        play = dataclasses.replace(play, simulations=simulations)
    spec = games.spec(config.game)
    with checkpoint.reading(folder):
        _check_outcomes(config, spec)
        model = _built(config, stored.tensors["weights"])
    settled = dataclasses.replace(config, play=play)
    return Agent(model.to(device), settled, str(path_or_game), stored.step, threads, simulations)


def trusted(config: Config, own_game: str | None, folder: Path) -> Config:
    """`config`, with an own game as `own_game` names it: code that only a checkpoint names doesn't run. Raises
    CheckpointError."""
    game = config.game
    if not is_own(game):
        return config
    if own_game is None or not same_game(game, canonical(own_game)):
        raise checkpoint.CheckpointError(
            f"{folder} was trained on the own game {game!r}, whose Python code would have to run; "
            f"if you trust it, name it: own_game={game!r} (on the command line --own-game {shlex.quote(game)})")
    return dataclasses.replace(config, game=canonical(own_game))


def _check_outcomes(config: Config, spec: GameSpec) -> None:
    """Refuse an agent that no training could have made, as far as its config was not refused as it was read."""
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
