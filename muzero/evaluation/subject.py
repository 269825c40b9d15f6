"""Who is measured: an agent, or another player in its place."""

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
    """What is measured: an agent, or another player in its place."""

    game: str
    agent: Agent | None
    player_text: str
    """`random`, `mcts:N`, ... where there is no agent."""
    simulations: tuple[int | None, ...]
    """Numbers of simulations to measure at; None = the player's own."""
    seed: int

    @property
    def spec(self) -> GameSpec:
        """The facts of the game."""
        return games.spec(self.game)

    def player(self, simulations: int | None) -> Player:
        """A new player at one number of simulations, so that no result depends on what came before."""
        if self.agent is not None:
            return SearchPlayer(self.agent, simulations, self.seed)
        return parse(self.player_text, self.game, self.seed, simulations)
