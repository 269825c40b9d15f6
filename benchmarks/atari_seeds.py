"""In which Atari games a seed may last for several games: does the next one begin the same however those before went?

    python benchmarks/atari_seeds.py [--seeds 2] [--games 8] [--moves 2000] [ROM ...]

Plays `games` games of a seed at random, each for up to `moves` moves, and beside each the game of the same seed and
number in an environment in which nothing was played: pictures, rewards and lives of its first moves must be equal. The
table games/atari.csv holds what was found as `apart`. Ends with exit code 1 where it says otherwise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np

import games
from games.atari import AtariBatch
from games.atari_protocol import PREFIX, atari_facts, roms

COMPARED = 60
"""Moves of each game that are compared."""
SECONDS = 1_200.0


def differs(name: str, seed: int, count: int, moves: int) -> str | None:
    """The first game that depends on those before it, in words; None if `count` games of the seed don't."""
    played, rng = games.make(name, 1, seed), np.random.default_rng(seed)
    assert isinstance(played, AtariBatch)
    for number in range(count):
        if number > 0:
            # A spare of two rows would be the next game in another environment: one goes on in its own.
            played._rows[0].begin(played.story(0).seed, number, played._pool)
            played._take_begun([0])
        alone = games.make(name, 1, seed)
        assert isinstance(alone, AtariBatch)
        alone._rows[0].begin(played.story(0).seed, number, alone._pool)
        alone._take_begun([0])
        for move in range(moves):
            if move < COMPARED and (found := _difference(played, alone)):
                return f"game {number} of seed {seed}, move {move}: another {found}"
            action = rng.integers(0, played.spec.num_actions, 1).astype(np.int32)
            played.step(action)
            if move < COMPARED:
                alone.step(action)
            if played.to_play()[0] < 0:
                break
    return None


def _difference(played: AtariBatch, alone: AtariBatch) -> str | None:
    pairs = {"picture": (played.observe(), alone.observe()), "score": (played.returns(), alone.returns()),
             "number of lives": (played.lives, alone.lives), "frame": (played.frames, alone.frames),
             "end": (played.to_play(), alone.to_play())}
    return next((what for what, (a, b) in pairs.items() if not np.array_equal(a, b)), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roms", nargs="*", metavar="ROM", help="these alone (default: all that ALE starts)")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--games", type=int, default=8)
    parser.add_argument("--moves", type=int, default=2_000)
    parser.add_argument("--here", action="store_true", help="in this process")
    arguments = parser.parse_args()
    if arguments.here:
        for rom in arguments.roms:
            found = next(filter(None, (differs(PREFIX + rom, seed, arguments.games, arguments.moves)
                                       for seed in range(arguments.seeds))), None)
            print(found or "the same", flush=True)
        return 0
    wrong = 0
    for rom in arguments.roms or roms():
        options = [f"--{name}={getattr(arguments, name)}" for name in ("seeds", "games", "moves")]
        done = subprocess.run([sys.executable, __file__, "--here", *options, rom], capture_output=True, text=True,
                              timeout=SECONDS, check=True)
        found = done.stdout.strip()
        known = atari_facts(PREFIX + rom).rom.apart
        verdict = "" if known == (found != "the same") else f"   the table says apart={int(known)}"
        wrong += bool(verdict)
        print(f"{rom:<20} {found}{verdict}", flush=True)
    print(f"{wrong} games differ from the table")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
