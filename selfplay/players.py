"""Who can play: random, OpenSpiel's MCTS, perfect play and trained agents, all behind one method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from games.base import GameBatch, GameError, IntArray, MaskArray
from games.naming import nearest
from games.own_names import same_game
from muzero.config.limits import BOUNDS
from muzero.records import FloatArray
from muzero.storage.disk import CheckpointError, named
from muzero.storage.runs import names_folder, resolve
from selfplay.repeats import repeats_of
from selfplay.strength.perfect import PerfectPlayer, refuse_foreign, spiel_state

if TYPE_CHECKING:
    from muzero.agent import Agent

CHUNK = 256
"""Positions searched at a time: a search keeps one latent a simulation for each."""
MCTS_EXPLORATION = 2.0
"""`uct_c` of OpenSpiel's own examples."""
MCTS_MEMORY_MB = 1_000
KINDS = ("random", "mcts:200", "perfect")
AT = "@"
"""Between a trained agent and its own number of simulations: `connect_four@200`."""


class Player(Protocol):
    """Picks moves in many games at once."""

    @property
    def name(self) -> str: ...

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Legal moves [N] for the unfinished games in `rows` (bool [N]); 0 elsewhere."""


class RandomPlayer:
    """Uniform over legal moves."""

    def __init__(self, seed: int) -> None:
        self.name = "random"
        self._rng = np.random.default_rng(seed)

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        draws = self._rng.random((games.size, games.spec.num_actions))
        best = np.where(games.legal(), draws, -1.0).argmax(axis=1)
        return np.where(rows, best, 0).astype(np.int32)


class MctsPlayer:
    """OpenSpiel's C++ MCTS with the true rules: UCT (c = 2), one random rollout a leaf, proven results kept.

    These are the settings of OpenSpiel's own examples, so results compare with published ones.
    """

    def __init__(self, game: str, simulations: int, seed: int) -> None:
        import pyspiel

        self.name = f"mcts:{simulations}"
        refuse_foreign(game)
        seed %= 1 << 31  # OpenSpiel takes 31 bits
        self._bot = pyspiel.MCTSBot(
            pyspiel.load_game(game),
            pyspiel.RandomRolloutEvaluator(1, seed),
            MCTS_EXPLORATION,
            simulations,
            MCTS_MEMORY_MB,
            True,  # solve: a proven win or loss is kept and stops the search
            seed,
            False,  # verbose
        )

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        actions = np.zeros(games.size, np.int32)
        for row in np.flatnonzero(rows).tolist():
            actions[row] = self._bot.step(spiel_state(games, row))
        return actions


class SearchPlayer:
    """A trained agent: the move its search prefers; with 0 simulations the network's likeliest move.

    Of one player's games a batch is played once, from its beginning: `AloneConfig.repeats` counts in it.
    """

    def __init__(self, agent: Agent, simulations: int | None = None, seed: int = 0) -> None:
        self.agent = agent
        self.simulations = agent.simulations if simulations is None else simulations
        thinking = f"{self.simulations} simulations" if self.simulations else "no search"
        noise = f", noise {agent.config.play.noise:g}" if self.simulations and agent.config.play.noise else ""
        self.name = f"{agent.name} ({thinking}{noise})"
        self._rng = np.random.default_rng(seed)
        self._repeats = repeats_of(agent, seed)

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        actions = np.zeros(games.size, np.int32)
        chosen = np.flatnonzero(rows)
        obs, legal = self.agent.see(games)[chosen], games.legal()[chosen]
        policy = np.zeros(legal.shape, np.float32)
        for start in range(0, len(chosen), CHUNK):
            part = slice(start, start + CHUNK)
            actions[chosen[part]], policy[part] = self._think(obs[part], legal[part])
        if self._repeats is not None:
            actions[chosen] = self._repeats.choose(games, chosen, actions[chosen], policy, legal)
        return actions

    def _think(self, obs: NDArray[Any], legal: MaskArray) -> tuple[IntArray, FloatArray]:
        """The preferred move [R] and the policy [R, A] of positions [R, ...]."""
        if self.simulations:
            seed = int(self._rng.integers(2**31))
            result = self.agent.search(obs, legal, simulations=self.simulations, seed=seed).result
            return result.action, result.policy
        policy, _ = self.agent.raw(obs, legal)
        return np.where(legal, policy, -1.0).argmax(axis=1).astype(np.int32), policy


def parse(text: str, game: str, seed: int, simulations: int | None = None) -> Player:
    """The player `text` names: random, mcts:N, perfect, or a run, checkpoint, agent folder or shipped agent.

    `simulations` is for trained agents without a number of their own (`AGENT@N`). Raises GameError that names the
    nearest kind.
    """
    return maker(text, game, simulations)(seed)


def maker(text: str, game: str, simulations: int | None = None) -> Callable[[int], Player]:
    """What makes the player that `text` names from a seed, as often as wanted: an agent is read, a game solved once.

    Raises as `parse`.
    """
    kind, colon, number = text.partition(":")
    if kind == "mcts" and not names_folder(text):
        if colon and not (number.isdecimal() and int(number) > 0):
            raise GameError(f"player {text!r}: wanted mcts:N with N simulations, such as mcts:200")
        refuse_foreign(game)
        return lambda seed: MctsPlayer(game, int(number or 200), seed)
    if text == "random":
        return RandomPlayer
    if text == "perfect":
        solver = PerfectPlayer(game, 0).solver
        return lambda seed: PerfectPlayer(game, seed, solver)
    name, own = split_simulations(text)
    agent = _agent(name, game)
    return lambda seed: SearchPlayer(agent.anew(), simulations if own is None else own, seed)


def split_simulations(text: str) -> tuple[str, int | None]:
    """`AGENT@N` as agent and number of simulations (0: no search); None without `@N`, or where a folder is so called.

    Raises GameError for a number no search can have.
    """
    name, at, number = text.rpartition(AT)
    if not at or (named(text).exists() and (names_folder(text) or not _is_agent(name))):
        return text, None
    most = int(BOUNDS["search.simulations"][1])
    if not (number.isascii() and number.isdecimal() and len(number) <= len(str(most)) and int(number) <= most):
        raise GameError(f"player {text!r}: wanted AGENT@N with 0 to {most:,} simulations")
    if not name or name.endswith(AT):
        raise GameError(f"player {text!r}: wanted AGENT@N, a trained agent and one number")
    if name in ("random", "perfect") or name.partition(":")[0] == "mcts":
        raise GameError(f"player {text!r}: @N is for trained agents (OpenSpiel's MCTS is mcts:N)")
    return name, int(number)


def _is_agent(name: str) -> bool:
    try:
        resolve(name)
    except CheckpointError:
        return False
    return True


def _agent(text: str, game: str) -> Agent:
    near = nearest(text, ("random", "mcts", "perfect"))
    if near and not Path(text).exists():
        raise GameError(f"player {text!r}: unknown{near} (or the path of a run)")
    from muzero.agent import load

    agent = load(text, own_game=game)
    if not same_game(agent.spec.name, game):
        raise GameError(f"player {text!r} plays {agent.spec.name}, not {game}")
    return agent
