"""Self-play of one actor with an untrained network: simulations and moves a CPU second, network included.

    python benchmarks/bench_selfplay.py [GAME ...] [--plain-allocator]

--plain-allocator leaves the C library's allocator as it is, to see what `muzero/memory.py` is worth.
"""

from __future__ import annotations

import argparse
import time

import torch

from muzero import presets
from muzero.memory import keep_freed_blocks
from selfplay.worker import acting_model, make_actor, prepare

WARM_UP = 3
MOVES = 20
PROGRESS = 0.3
"""Of the training: where schedules are read."""


def measure(game: str) -> tuple[float, float]:
    """Simulations and moves a CPU second of `game` with its preset, seed 0."""
    config = presets.load(game)
    torch.manual_seed(config.train.seed)
    model = prepare(acting_model(config), config)
    actor = make_actor(config, 0)
    for _ in range(WARM_UP):
        actor.play(model, PROGRESS)
    simulations, moves, start = actor.counters.simulations, actor.counters.moves, time.process_time()
    for _ in range(MOVES):
        actor.play(model, PROGRESS)
    seconds = time.process_time() - start
    return (actor.counters.simulations - simulations) / seconds, (actor.counters.moves - moves) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", nargs="*", default=["tic_tac_toe", "connect_four"])
    parser.add_argument("--plain-allocator", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.plain_allocator:
        keep_freed_blocks()
    for game in arguments.game:
        simulations, moves = measure(game)
        print(f"{game:<20} {simulations:>10,.0f} simulations/CPU s {moves:>8,.0f} moves/CPU s")


if __name__ == "__main__":
    main()
