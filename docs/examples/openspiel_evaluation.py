"""OpenSpiel's own evaluation with a trained agent: `muzero.load_bot` gives a `pyspiel.Bot`.

    python docs/examples/openspiel_evaluation.py    # half a minute

Plays the shipped agent of Connect Four against OpenSpiel's MCTS, both seats in turn, with OpenSpiel's `evaluate_bots`;
then asks the bot for its policy in one position. Whatever takes a bot (tournaments, policies, exploitability) takes
this one.
"""

from __future__ import annotations

import numpy as np
import pyspiel
from open_spiel.python.algorithms.evaluate_bots import evaluate_bots

import muzero

GAME = "connect_four"


def opponent(game: pyspiel.Game, simulations: int, seed: int) -> pyspiel.Bot:
    """OpenSpiel's MCTS with random rollouts."""
    evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
    return pyspiel.MCTSBot(
        game, evaluator, 2.0, simulations, max_memory_mb=100, solve=True, seed=seed, verbose=False)


def match(games: int, simulations: int, rollouts: int, seed: int = 0) -> list[float]:
    """Returns of the agent, game by game: 1 won, 0 drawn, -1 lost. It moves first in the even ones."""
    game = pyspiel.load_game(GAME)
    agent = muzero.load_bot(GAME, simulations=simulations, seed=seed)
    rng = np.random.RandomState(seed)
    returns = []
    for number in range(games):
        seat = number % 2
        bots = [opponent(game, rollouts, seed + number)] * 2
        bots[seat] = agent
        returns.append(evaluate_bots(game.new_initial_state(), bots, rng)[seat])
    return returns


def policy(moves: list[int], simulations: int) -> list[tuple[int, float]]:
    """The policy of the agent's search after some moves: (action, probability)."""
    state = pyspiel.load_game(GAME).new_initial_state()
    for move in moves:
        state.apply_action(move)
    return muzero.load_bot(GAME, simulations=simulations).get_policy(state)


def main(games: int = 10, simulations: int = 100, rollouts: int = 200) -> None:
    returns = match(games, simulations, rollouts)
    print(f"{returns.count(1)} won, {returns.count(0)} drawn, {returns.count(-1)} lost")
    # Three in a column for the agent, which is to move: it wins with column 0.
    for action, probability in policy([0, 1, 0, 1, 0, 1], simulations):
        print(f"column {action}: {probability:.3f}")


if __name__ == "__main__":
    main()
