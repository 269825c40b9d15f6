"""OpenSpiel's MCTS, a bystander rather than a peer: it searches real states, not latents.

Each step of its walks plays a move in a real game, whose number of actions is that of the shape but falls as the
board fills; there is no network to stub. Two of its searches run:

- openspiel-python: the Python bot with pUCT and an evaluator that answers a constant value and equal priors.
- openspiel-cpp: the C++ bot. Its evaluators can't be written in Python, so it plays one random game to the end for
  each leaf, which is most of its time.

It knows no batches: a search is one tree, and a turn does one after another.

Counted edges: a visit of a node is a step along the edge into it, so the sum of the visits of all nodes but the root.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyspiel
from open_spiel.python.algorithms import mcts

from peers.contestant import C_INIT, Contestant, Refused, Shape, Spent

GAMES = {
    7: "connect_four",
    18: "hex(num_cols=6,num_rows=3)",
    82: "go(board_size=9)",
    362: "go(board_size=19)",
}
"""actions -> a game with as many on its empty board"""


class Constant(mcts.Evaluator):  # type: ignore[misc]
    """Knows nothing, at once."""

    def evaluate(self, state: Any) -> Any:
        return np.zeros(2)

    def prior(self, state: Any) -> list[tuple[int, float]]:
        actions = state.legal_actions()
        return [(action, 1.0 / len(actions)) for action in actions]


def edges_below(node: Any) -> int:
    """Visits of all nodes below this one."""
    total, waiting = 0, list(node.children)
    while waiting:
        child = waiting.pop()
        total += child.explore_count
        waiting.extend(child.children)
    return total


class OpenSpiel:
    def __init__(self, name: str, shape: Shape) -> None:
        if shape.actions not in GAMES:
            known = ", ".join(str(actions) for actions in GAMES)
            raise Refused(f"no game of {shape.actions} actions is chosen for OpenSpiel: expected one of {known}")
        game = pyspiel.load_game(GAMES[shape.actions])
        self._state = game.new_initial_state()
        self._simulations = shape.simulations
        if name == "openspiel-python":
            self._bot = mcts.MCTSBot(
                game,
                C_INIT,
                shape.simulations,
                Constant(),
                solve=False,
                random_state=np.random.RandomState(1),
                child_selection_fn=mcts.SearchNode.puct_value,
            )
        else:
            rollouts = pyspiel.RandomRolloutEvaluator(1, 1)
            unlimited = 0  # megabytes
            self._bot = pyspiel.MCTSBot(
                game,
                rollouts,
                C_INIT,
                shape.simulations,
                unlimited,
                False,
                1,
                False,
                pyspiel.ChildSelectionPolicy.PUCT,
            )

    def search(self, number: int) -> Spent:
        start = time.process_time()
        root = self._bot.mcts_search(self._state)
        spent = time.process_time() - start
        return Spent(spent, self._simulations, edges_below(root))


def make(name: str, shape: Shape) -> Contestant:
    return OpenSpiel(name, shape)
