"""Makes games/connect_four_openings.bin, values of Connect Four's positions with 8 discs, and checks it by search.

    python benchmarks/connect_four_openings.py --check 100        # of the file's positions, searched to their end
    python benchmarks/connect_four_openings.py --search SIGNS     # all of them: hours; goes on where SIGNS ends
    python benchmarks/connect_four_openings.py --write SIGNS      # a text of + = - in the order of keys, into the file

The file in the package holds the answers of another solver (BitBully 0.0.79, a package of its own with a table of
positions with 12 discs); `--check` compares them with searches of this project's own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from games.connect_four_openings import BOARD, FILE, PLIES, known, layers, pack
from games.connect_four_search import new_memory

SIGNS = {1: "+", 0: "=", -1: "-"}


def search(target: Path) -> None:
    """Append the signs that `target` doesn't hold yet."""
    _, mine, discs = layers(PLIES)[PLIES]
    done, memory, start = len(target.read_text()) if target.exists() else 0, new_memory(), time.time()
    with target.open("a") as out:
        for i in range(done, len(mine)):
            out.write(SIGNS[BOARD.sign(int(mine[i]), int(discs[i]), memory)])
            out.flush()
            if (i + 1) % 100 == 0:
                print(f"{i + 1:,} of {len(mine):,}, {time.time() - start:,.0f} s", flush=True)


def write(source: Path) -> None:
    """Pack a whole text of signs."""
    numbers = {sign: value for value, sign in SIGNS.items()}
    values = np.array([numbers[sign] for sign in source.read_text().strip()], np.int8)
    expected = len(layers(PLIES)[PLIES][0])
    if len(values) != expected:
        raise SystemExit(f"{source}: expected {expected:,} signs, got {len(values):,}")
    FILE.write_bytes(pack(values))


def check(count: int, seed: int) -> None:
    """Search some positions of the file. Raises SystemExit at a difference."""
    _, mine, discs = layers(PLIES)[PLIES]
    values, memory, start = known()[PLIES][1], new_memory(), time.process_time()
    for i in np.random.default_rng(seed).choice(len(mine), count, replace=False).tolist():
        if BOARD.sign(int(mine[i]), int(discs[i]), memory) != values[i]:
            raise SystemExit(f"{FILE}: wrong at {mine[i]}, {discs[i]}: {values[i]}")
    print(f"{count:,} of {len(mine):,} positions searched to their end, {time.process_time() - start:,.0f} CPU s: "
          f"all as in {FILE.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_mutually_exclusive_group(required=True)
    modes.add_argument("--check", type=int, metavar="N")
    modes.add_argument("--search", type=Path, metavar="SIGNS")
    modes.add_argument("--write", type=Path, metavar="SIGNS")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.check is not None:
        check(arguments.check, arguments.seed)
    elif arguments.search is not None:
        search(arguments.search)
    else:
        write(arguments.write)


if __name__ == "__main__":
    main()
