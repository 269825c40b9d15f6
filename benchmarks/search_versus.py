"""The tree search of this commit against that of another: CPU time of the same searches, taken in turns.

    python benchmarks/search_versus.py COMMIT [--algorithm gumbel] [--scale siblings] [--shape 64x200x7] [--starts 16]

The other commit is checked out and built in a temporary folder. At each start both extensions are copied anew and
loaded into a process each: one and the same file differs by up to 3 % a start, by which memory pages it gets. Each
search counts with its least time over the rounds of a start. The other commit is compared with a copy of itself too,
which shows the noise. Its search must take the same settings as this one's.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from versus import ROOT, check_out

from muzero.config import SearchConfig

SEARCHES, ROUNDS, PERIOD = 4, 4, 61
"""Different searches, how often each is run at a start, and rows after which made-up answers come again."""


def loaded(path: Path) -> Any:
    """The extension at a path."""
    spec = importlib.util.spec_from_file_location("_core", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timed_search(core: Any, config: SearchConfig, trees: int, actions: int) -> Callable[[int], int]:
    """A function from the number of a search to the nanoseconds of CPU time that it took."""
    count = config.simulations
    search = core.Search(trees, actions, count, **config.tree_settings)
    rng, rows = np.random.default_rng(1), PERIOD + trees
    reward, value = (0.1 * rng.normal(size=rows)).astype(np.float32), np.tanh(rng.normal(size=rows)).astype(np.float32)
    discount, logits = np.full(rows, -1.0, np.float32), rng.normal(size=(rows, actions)).astype(np.float32)
    leaves = [np.zeros(trees, np.int32) for _ in range(3)]
    visits, policy, q = (np.zeros((trees, actions), dtype) for dtype in (np.int32, np.float32, np.float32))
    mean, action, legal = np.zeros(trees, np.float32), np.zeros(trees, np.int32), np.ones((trees, actions), np.bool_)

    def answer(number: int) -> tuple[Any, ...]:
        those = slice(number % PERIOD, number % PERIOD + trees)
        return reward[those], discount[those], logits[those], value[those]

    def run(number: int) -> int:
        seeds = np.arange(trees, dtype=np.uint64) + np.uint64(number * trees)
        answers = [answer(7 * step + number) for step in range(count)]
        root = answer(number)
        start = time.process_time_ns()
        search.reset(root[2], root[3], legal, seeds)
        search.select(*leaves)
        for one in answers[:-1]:
            search.advance(*one, *leaves)
        search.expand(*answers[-1])
        search.result(visits, policy, q, mean, action)
        return time.process_time_ns() - start

    return run


def work(path: Path, config: SearchConfig, trees: int, actions: int) -> None:
    """Body of a process: the time of each search whose number comes in."""
    run = timed_search(loaded(path), config, trees, actions)
    run(0)
    for line in sys.stdin:
        print(run(int(line)), flush=True)


def start(files: dict[str, Path], folder: Path, words: list[str]) -> dict[str, float]:
    """The time of all searches, each at its least, by name."""
    running = {}
    for name, path in files.items():
        fresh = Path(tempfile.mkdtemp(dir=folder)) / path.name
        shutil.copy(path, fresh)
        command = [sys.executable, __file__, "this", *words, "--work", str(fresh)]
        running[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    least = {name: [1 << 62] * SEARCHES for name in files}
    for turn in range(ROUNDS):
        for number in range(SEARCHES):
            for name in in_turn(list(files), turn):
                process = running[name]
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                least[name][number] = min(least[name][number], int(process.stdout.readline()))
    for process in running.values():
        process.communicate()
    return {name: float(sum(times)) for name, times in least.items()}


def in_turn(names: list[str], turn: int) -> Iterator[str]:
    """Another first one each time."""
    first = turn % len(names)
    yield from names[first:]
    yield from names[:first]


def extension(folder: Path) -> Path:
    return next((folder / "cpp_mcts").glob("_core*.so"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--algorithm", choices=("gumbel", "puct"), default="gumbel")
    parser.add_argument("--scale", choices=("fixed", "minmax", "siblings"), default="siblings")
    parser.add_argument("--shape", default="64x200x7", help="trees x simulations x actions")
    parser.add_argument("--starts", type=int, default=16)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    trees, simulations, actions = map(int, asked.shape.split("x"))
    config = SearchConfig(algorithm=asked.algorithm, scale=asked.scale, simulations=simulations)
    if asked.work is not None:
        return work(asked.work, config, trees, actions)
    words = ["--algorithm", asked.algorithm, "--scale", asked.scale, "--shape", asked.shape]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_out(asked.commit, folder / "other")
        other = extension(folder / "other")
        files = {asked.commit: other, "the same": other, "this": extension(ROOT)}
        ratios: dict[str, list[float]] = {"the same": [], "this": []}
        for _ in range(asked.starts):
            times = start(files, folder, words)
            for which, found in ratios.items():
                found.append(times[asked.commit] / times[which])
    for which, found in ratios.items():
        error = statistics.stdev(found) / len(found) ** 0.5 if len(found) > 1 else float("nan")
        print(f"{which:9} speed relative to {asked.commit}: {statistics.fmean(found):.3f} +- {error:.3f} in "
              f"{len(found)} starts, {min(found):.3f} to {max(found):.3f}")
    return None


if __name__ == "__main__":
    main()
