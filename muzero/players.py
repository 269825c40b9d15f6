"""Trained agents as players, and players made from their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, GameBatch, GameError, GameSpec, IntArray, MaskArray
from games.exact import refuse_foreign
from games.naming import nearest
from games.own_names import same_game
from muzero.config.bounds import BOUNDS
from muzero.config.kinds import PLANNERS, SIMULATIONS
from muzero.storage.disk import CheckpointError, named
from muzero.storage.runs import names_folder, resolve
from selfplay import naming
from selfplay.naming import PlayerName
from selfplay.players import MctsPlayer, Player, RandomPlayer
from selfplay.repeats import Repeats
from selfplay.strength.perfect import PerfectPlayer

if TYPE_CHECKING:
    from muzero.agent import Agent
    from muzero.config import Config, SearchConfig

POSITIONS_AT_ONCE = 256
"""Positions searched at once: a search keeps one latent per simulation for each."""


class SearchPlayer:
    """A trained agent, which plays its search's choice; with 0 simulations, the network's most probable move.

    In one-player games, `AloneConfig.repeats` counts within a batch of games, which is played once, from the start.
    """

    def __init__(self, agent: Agent, simulations: int | None = None, seed: int = 0) -> None:
        self.agent = agent
        self.simulations = agent.simulations if simulations is None else simulations
        self.name = f"{agent.name} ({thinking(agent.config.play, self.simulations)})"
        self._rng = np.random.default_rng(seed)
        self._repeats = repeats_of(agent.spec, agent.config, seed)

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        actions = np.zeros(games.size, np.int32)
        chosen = np.flatnonzero(rows)
        obs, legal = self.agent.observe(games)[chosen], games.legal()[chosen]
        policy = np.zeros(legal.shape, np.float32)
        for start in range(0, len(chosen), POSITIONS_AT_ONCE):
            part = slice(start, start + POSITIONS_AT_ONCE)
            actions[chosen[part]], policy[part] = self._think(obs[part], legal[part])
        if self._repeats is not None:
            actions[chosen] = self._repeats.choose(games, chosen, actions[chosen], policy, legal)
        return actions

    def _think(self, obs: NDArray[Any], legal: MaskArray) -> tuple[IntArray, FloatArray]:
        """The chosen move [R] and the policy [R, A] for positions [R, ...]."""
        if self.simulations:
            seed = int(self._rng.integers(2**31))
            result = self.agent.search(obs, legal, simulations=self.simulations, seed=seed).result
            return result.action, result.policy
        policy, _ = self.agent.raw(obs, legal)
        return np.where(legal, policy, -1.0).argmax(axis=1).astype(np.int32), policy


def thinking(play: SearchConfig, simulations: int) -> str:
    """How an agent thinks about each move, in words."""
    counts = PLANNERS[play.algorithm].counts
    if simulations == 0 or not counts:
        return "no search"
    effort = f"{simulations} {counts}" if counts == SIMULATIONS else f"{play.algorithm}, up to {simulations} {counts}"
    return f"{effort}, noise {play.noise:g}" if play.noise else effort


def repeats_of(spec: GameSpec, config: Config, seed: int) -> Repeats | None:
    """Loop avoidance as set in an agent's config; None if it always plays the search's choice."""
    return Repeats(seed) if spec.players == 1 and config.alone.repeats == "next" else None


def parse(text: str, game: str, seed: int, simulations: int | None = None) -> Player:
    """The player that `text` names: random, mcts:N, perfect, or a run, checkpoint, agent folder or shipped agent.

    `simulations` is for trained agents named without a number (`AGENT@N`). Raises GameError that names the nearest
    kind.
    """
    return maker(text, game, simulations)(seed)


def maker(text: str, game: str, simulations: int | None = None) -> Callable[[int], Player]:
    """A factory, seed -> player, for the player that `text` names: loads the agent or solves the game only once.

    Raises what `parse` raises.
    """
    said = read_name(text)
    count = said.simulations
    if said.kind == "random":
        return RandomPlayer
    if said.kind == "perfect":
        solver = PerfectPlayer(game, 0).solver
        return lambda seed: PerfectPlayer(game, seed, solver)
    if said.kind == "mcts" and count is not None:
        refuse_foreign(game)
        return lambda seed: MctsPlayer(game, count, seed)
    agent = _agent(said.agent, game)
    return lambda seed: SearchPlayer(agent.anew(), simulations if count is None else count, seed)


def read_name(text: str) -> PlayerName:
    """Parse a player's name. `random`, `perfect` and `mcts:N` are players even if folders have these names, unless a
    folder called `mcts...` holds an agent. Loads nothing.

    Raises GameError for a misspelt kind (naming the nearest), an empty name, and an invalid number.
    """
    if not text.strip():
        raise GameError(f"player: expected random, mcts:N, perfect or an agent, got {text!r}")
    if text == "random":
        return PlayerName("random")
    if text == "perfect":
        return PlayerName("perfect")
    if naming.is_mcts(text) and not names_folder(text):
        return PlayerName("mcts", simulations=naming.mcts_simulations(text))
    agent, simulations = split_simulations(text)
    near = nearest(agent.partition(":")[0], naming.UNTRAINED)
    if near and not Path(agent).exists():
        raise GameError(f"player {text!r}: unknown{near} (random, mcts:N, perfect, or the path of a run)")
    return PlayerName("agent", agent, simulations)


def split_simulations(text: str) -> tuple[str, int | None]:
    """Split `AGENT@N` into agent and simulations (0: no search); None without `@N`, or if a folder has that name.

    Raises GameError for an invalid number.
    """
    name = text.rpartition(naming.AT)[0]
    if named(text).exists() and (names_folder(text) or not _is_agent(name)):
        return text, None
    return naming.split_simulations(text, int(BOUNDS["search.simulations"][1]))


def _is_agent(name: str) -> bool:
    try:
        resolve(name)
    except CheckpointError:
        return False
    return True


def _agent(text: str, game: str) -> Agent:
    from muzero.agent import load

    agent = load(text, own_game=game)
    if not same_game(agent.spec.name, game):
        raise GameError(f"player {text!r}: expected an agent for {game}, got one for {agent.spec.name}")
    return agent
