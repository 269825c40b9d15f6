"""The subject of an evaluation: an agent, or another player."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import games
from games.base import GameSpec
from muzero.players import SearchPlayer, parse

if TYPE_CHECKING:
    from muzero.agent import Agent
    from selfplay.players import Player


@dataclass(frozen=True)
class Subject:
    """The player being evaluated: an agent, or another player."""

    game: str
    agent: Agent | None
    player_text: str
    """`random`, `mcts:N`, ... if there is no agent."""
    simulations: tuple[int | None, ...]
    """Numbers of simulations to measure with; None = the player's default."""
    seed: int

    @property
    def spec(self) -> GameSpec:
        """The facts of the game."""
        return games.spec(self.game)

    def player(self, simulations: int | None) -> Player:
        """A new player with this number of simulations, so that no result depends on earlier ones."""
        if self.agent is not None:
            return SearchPlayer(self.agent, simulations, self.seed)
        return parse(self.player_text, self.game, self.seed, simulations)
