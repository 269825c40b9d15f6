"""Start every Atari game under both published protocols and make random moves: shapes, scores, frames.

    python benchmarks/atari_roms.py [--moves 200] [ROM ...]

Ends with exit code 1 if a game failed. Each game is checked in a process of its own: ALE may end the process, or hang.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np

import games
from games.atari import AtariBatch
from games.atari_protocol import PREFIX, PROTOCOLS, TWO_PLAYERS, roms

SECONDS = 60.0


def play(name: str, moves: int) -> str:
    """One game in words. Raises AssertionError where ALE's counters disagree with what was played."""
    batch, rng = games.make(name, 1, 0), np.random.default_rng(0)
    assert isinstance(batch, AtariBatch)
    spec, started, score, ends = batch.spec, int(batch.frames[0]), 0.0, 0
    for _ in range(moves):
        step = batch.step(rng.integers(0, spec.num_actions, 1).astype(np.int32))
        frames = int(batch.frames[0])
        over = step.discount[0] == 0.0 or step.truncated[0]
        # A game may end within a move.
        assert frames == started + 4 or (over and started < frames <= started + 4), f"{started} -> {frames} frames"
        assert batch.observe().shape == (1, *spec.observation_shape)
        score, started = score + float(step.reward[0]), frames
        if over:
            ends += 1
            batch.reset()
            started = int(batch.frames[0])
    shape = " x ".join(map(str, spec.observation_shape))
    return f"{name:<44} {shape}  {spec.num_actions:>2} actions  score {score:g}, {ends} ends in {moves} moves"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roms", nargs="*", metavar="ROM", help="these alone (default: all that ALE starts)")
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--here", action="store_true", help="in this process")
    arguments = parser.parse_args()
    if arguments.here:
        for rom in arguments.roms:
            for protocol in PROTOCOLS:
                print(play(games.spec(f"{PREFIX}{rom}(protocol={protocol})").name, arguments.moves), flush=True)
        return 0
    failed = []
    for rom in arguments.roms or roms():
        command = [sys.executable, __file__, "--here", "--moves", str(arguments.moves), rom]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
            print(done.stdout, end="", flush=True)
        except subprocess.SubprocessError as error:
            failed.append(rom)
            print(f"{PREFIX}{rom} FAILED: {error}: {getattr(error, 'stderr', '')!s:.300}", flush=True)
    ran = len(arguments.roms or roms()) - len(failed)
    print(f"{ran} games ran under {' and '.join(PROTOCOLS)}, {len(failed)} failed; "
          f"without a mode for one player, so refused: {', '.join(TWO_PLAYERS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
