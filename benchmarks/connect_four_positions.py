"""Makes a positions file of Connect Four for fine comparisons: many critical positions nobody has tuned for.

    python benchmarks/connect_four_positions.py FILE [--count 2500] [--seed 5]

Half of them come from random games, half from games of OpenSpiel's MCTS (60 rollouts a move) after up to 10 random
moves: up to three a game, of plies 5 to 37, all different, some move loses value and none wins at once. `values` tells
only whether a move wins (1), draws (0) or loses (-1), not how soon: "perfect" then means as much as "keep".
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspiel

from games.connect_four import ConnectFourSolver

GAME = "connect_four"
ROLLOUTS, EXPLORATION, MEMORY_MB = 60, 2.0, 500
RANDOM_MOVES = 10
FIRST_PLY, LAST_PLY, OF_A_GAME = 5, 37, 3


def positions(seed: int) -> Iterator[Any]:
    """Different positions without end, each an OpenSpiel state."""
    generator = random.Random(seed)
    game = pyspiel.load_game(GAME)
    bot = pyspiel.MCTSBot(game, pyspiel.RandomRolloutEvaluator(1, seed), EXPLORATION, ROLLOUTS, MEMORY_MB, True, seed,
                          False)
    seen: set[str] = set()
    thinking = False
    while True:
        states = list(one_game(game, bot if thinking else None, generator))
        thinking = not thinking
        found = [state for state in states[FIRST_PLY : LAST_PLY + 1] if str(state) not in seen]
        generator.shuffle(found)
        for state in found[:OF_A_GAME]:
            seen.add(str(state))
            yield state


def one_game(game: Any, bot: Any, generator: random.Random) -> Iterator[Any]:
    """Its unfinished positions; without a bot all moves are random."""
    state, random_moves = game.new_initial_state(), generator.randint(0, RANDOM_MOVES)
    while not state.is_terminal():
        yield state.clone()
        thinking = bot is not None and state.move_number() >= random_moves
        state.apply_action(bot.step(state) if thinking else generator.choice(state.legal_actions()))


def row(state: Any, solver: ConnectFourSolver) -> tuple[str, str] | None:
    """(moves, values) of a position where value can be lost and none is won at once; None for others."""
    mover = state.current_player()
    if any(state.child(action).player_return(mover) > 0 for action in state.legal_actions()):
        return None
    values = solver.move_values(state)
    if len(set(values.values())) == 1:
        return None
    columns = [f"{values[action]:.0f}" if action in values else "." for action in range(solver.spec.num_actions)]
    return "".join(map(str, state.history())), ";".join(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    solver, start, count = ConnectFourSolver(GAME), time.time(), 0
    with arguments.file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("moves", "values"))
        for state in positions(arguments.seed):
            if count == arguments.count:
                break
            found = row(state, solver)
            if found is not None:
                writer.writerow(found)
                count += 1
                if count % 100 == 0:
                    print(f"{count:,} of {arguments.count:,}, {time.time() - start:,.0f} s", flush=True)


if __name__ == "__main__":
    main()
