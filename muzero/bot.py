"""A trained agent as a `pyspiel.Bot`, for use in OpenSpiel's own matches and evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyspiel

import games
from games.base import GameError
from games.open_spiel import OpenSpielBatch
from muzero.agent import Agent, Analysis, load


class MuZeroBot(pyspiel.Bot):  # type: ignore[misc]
    """Plays the search's move in any state of the agent's game.

    The bot is stateless: it replays a state from its history, so it can be asked about any position at any time.
    """

    def __init__(self, agent: Agent, seed: int = 0) -> None:
        pyspiel.Bot.__init__(self)
        self.agent = agent
        self._rng = np.random.default_rng(seed)
        batch = games.make(agent.spec.name, 1)
        if not isinstance(batch, OpenSpielBatch):
            raise GameError(f"{agent.spec.name} is not an OpenSpiel game, so a pyspiel.Bot can't play it")
        self._games = batch
        self._known: set[str] = set()

    def analyse(self, state: Any) -> Analysis:
        """The agent's analysis of one OpenSpiel state of its game."""
        game = str(state.get_game())
        if game not in self._known:
            if games.spec(game).name != self.agent.spec.name:
                raise GameError(f"state: expected a game of {self.agent.spec.name}, which this bot plays, got {game}")
            self._known.add(game)
        self._games.set_history(0, [int(action) for action in state.history()])
        return self.agent.search(
            self.agent.observe(self._games), self._games.legal(), seed=int(self._rng.integers(2**31)))

    def step(self, state: Any) -> int:
        """The action played in `state`."""
        return int(self.analyse(state).result.action[0])

    def step_with_policy(self, state: Any) -> tuple[list[tuple[int, float]], int]:
        """The search's policy over legal actions, and the action played."""
        result = self.analyse(state).result
        policy = [(int(action), float(result.policy[0, action])) for action in state.legal_actions()]
        return policy, int(result.action[0])

    def provides_policy(self) -> bool:
        return True

    def get_policy(self, state: Any) -> list[tuple[int, float]]:
        """The search's policy over legal actions."""
        return self.step_with_policy(state)[0]

    def restart(self) -> None:
        """Does nothing: the bot is stateless."""

    def restart_at(self, state: Any) -> None:
        """Does nothing: the bot is stateless."""

    def inform_action(self, state: Any, player_id: int, action: int) -> None:
        """Does nothing: the bot is stateless."""


def load_bot(path_or_game: str, *, simulations: int | None = None, seed: int = 0, device: str = "cpu") -> MuZeroBot:
    """A bot from a shipped agent's game name, a run or a checkpoint folder.

    simulations of each search: the agent's default unless given; 0 = the network's most probable move, without search.
    Raises CheckpointError, GameError, ConfigError.
    """
    return MuZeroBot(load(path_or_game, simulations=simulations, device=device), seed)
