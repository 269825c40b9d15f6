"""Moves a second of `games.atari` beside ALE's own vector environment, in turns within one process.

    python benchmarks/atari_speed.py [--rom pong] [--games 8 64] [--seconds 5] [--rounds 3]

Both skip, take maxima, scale and stack with the same settings; the ratio counts, machines are shared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import ale_py
import numpy as np

import games
from games.atari_protocol import PREFIX


def ours(name: str, size: int) -> Callable[[np.ndarray], None]:
    batch = games.make(name, size, 0)

    def move(actions: np.ndarray) -> None:
        step = batch.step(actions)
        over = (step.discount == 0.0) | step.truncated
        if over.any():
            batch.reset(over)
        batch.observe()

    return move


def ales(rom: str, size: int) -> Callable[[np.ndarray], None]:
    environment = ale_py.ALEVectorInterface(
        rom_path=ale_py.roms.get_rom_path(rom), num_envs=size, frame_skip=4, stack_num=4, img_height=84, img_width=84,
        grayscale=True, maxpool=True, noop_max=30, use_fire_reset=False, episodic_life=False, life_loss_info=False,
        reward_clipping=False, max_episode_steps=108_000, repeat_action_probability=0.0, full_action_space=False,
        batch_size=size, num_threads=0, thread_affinity_offset=-1, autoreset_mode="NextStep")
    environment.reset(list(range(size)), list(range(size)))
    strength = [1.0] * size

    def move(actions: np.ndarray) -> None:
        environment.send(actions.tolist(), strength)
        environment.recv()

    return move


def rate(move: Callable[[np.ndarray], None], size: int, actions: int, seconds: float) -> float:
    """Moves a second, counted over all games."""
    rng, done, started = np.random.default_rng(0), 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        move(rng.integers(0, actions, size).astype(np.int32))
        done += size
    return done / passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rom", default="pong")
    parser.add_argument("--games", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    actions = games.spec(PREFIX + arguments.rom).num_actions
    for size in arguments.games:
        players = {"ALE": ales(arguments.rom, size), "games.atari": ours(PREFIX + arguments.rom, size)}
        rates: dict[str, list[float]] = {name: [] for name in players}
        for _ in range(arguments.rounds):
            for name, move in players.items():
                rates[name].append(rate(move, size, actions, arguments.seconds))
        ratios = [own / raw for own, raw in zip(rates["games.atari"], rates["ALE"], strict=True)]
        print(f"{arguments.rom}, {size} games: ALE {median(rates['ALE']):,.0f} moves/s, games.atari "
              f"{median(rates['games.atari']):,.0f}; ratio {median(ratios):.2f} ({min(ratios):.2f} to "
              f"{max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
