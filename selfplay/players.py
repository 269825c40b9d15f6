"""The player interface, and two players that need no training: random, and OpenSpiel's MCTS."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from games.base import GameBatch, IntArray, MaskArray
from games.exact import refuse_foreign, spiel_state

MCTS_EXPLORATION = 2.0
"""`uct_c` of OpenSpiel's own examples."""
MCTS_MEMORY_MB = 1_000


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
    """OpenSpiel's C++ MCTS with the true rules: UCT (c = 2), one random rollout per leaf, with MCTS-Solver.

    These are the settings of OpenSpiel's own examples, so that results are comparable with published ones.
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
            True,  # solve: remember proven wins and losses, and stop once the root is proven
            seed,
            False,  # verbose
        )

    def act(self, games: GameBatch, rows: MaskArray) -> IntArray:
        """Moves [N]; 0 outside `rows`."""
        actions = np.zeros(games.size, np.int32)
        for row in np.flatnonzero(rows).tolist():
            actions[row] = self._bot.step(spiel_state(games, row))
        return actions
