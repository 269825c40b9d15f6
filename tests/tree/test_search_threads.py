"""Threads share out the trees of a search: no byte depends on how many there are, or on whether they sleep."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from search_models import Model, Results, TableModel, drive, make_search, random_table, search_settings

SCALES = ("fixed", "minmax", "siblings")


def searched(
    trees: int, threads: int, model: Model | None = None, simulations: int = 40, *, in_one_call: bool = False,
    **settings: Any,
) -> Results:
    seeds = np.arange(1, trees + 1, dtype=np.uint64)
    model = model or random_table(np.random.default_rng(5), 7, [-1.0, 1.0, 0.0])
    search = make_search(trees, 7, simulations, threads=threads, dirichlet_fraction=0.25, **settings)
    return drive(search, model, seeds, np.ones((trees, 7), np.bool_), seeds, in_one_call=in_one_call)


@pytest.mark.parametrize("algorithm", ["gumbel", "puct"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("trees", [1, 2, 13, 90])
def test_threads_change_no_byte(algorithm: str, scale: str, trees: int) -> None:
    one, *more = (searched(trees, threads, algorithm=algorithm, scale=scale) for threads in (1, 2, 3, 32))
    more += [searched(trees, 3, algorithm=algorithm, scale=scale, in_one_call=True)]
    assert all(other.bytes() == one.bytes() for other in more)


class SlowModel(TableModel):
    """A network that takes so long that every waiting thread goes to sleep."""

    def step(self, latent: Any, action: Any) -> Any:
        time.sleep(0.002)
        return super().step(latent, action)


def test_sleeping_threads_wake_up() -> None:
    table = random_table(np.random.default_rng(5), 7, [-1.0, 1.0, 0.0])
    slow = SlowModel(table.reward, table.discount, table.logits, table.value)
    assert searched(40, 3, slow, algorithm="gumbel").bytes() == searched(40, 1, table, algorithm="gumbel").bytes()


def test_many_searches_with_threads_side_by_side() -> None:
    """More threads than cores, each search in a thread of its own."""
    wanted = searched(30, 1, simulations=60, algorithm="puct").bytes()
    found: list[bytes] = []

    def work() -> None:
        found.extend(searched(30, 3, simulations=60, algorithm="puct").bytes() for _ in range(3))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert found == [wanted] * 12


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system can't bind a process to a core")
def test_one_core_and_two_threads() -> None:
    """Made on a single core the threads don't wait actively, and come to the same result."""
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        one_core = searched(40, 2, algorithm="gumbel")
    finally:
        os.sched_setaffinity(0, cores)
    assert one_core.bytes() == searched(40, 1, algorithm="gumbel").bytes()


FORKED = """
import os, numpy as np
from cpp_mcts import Search
settings = SETTINGS
search = Search(4, 2, 3, **settings)
zeros = np.zeros((4, 2), np.float32)
arrays = (zeros, zeros[:, 0].copy(), zeros == 0, np.arange(4, dtype=np.uint64))
search.reset(*arrays)
child = os.fork()
if child == 0:
    try:
        search.reset(*arrays)
    except RuntimeError as error:
        HERE
        del search
        os._exit(0 if "forked" in str(error) else 1)
    os._exit(2)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""".replace("SETTINGS", repr(search_settings(algorithm="puct", threads=2)))


def test_threads_do_not_outlive_a_fork() -> None:
    """A forked child has none of the threads: it gets an error, and neither process hangs."""
    script = FORKED.replace("HERE", "pass")
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=30)


@pytest.mark.skipif("tsan" in os.environ.get("LD_PRELOAD", ""), reason="it knows no threads of a forked child")
def test_a_forked_child_may_make_a_search_of_its_own() -> None:
    script = FORKED.replace("HERE", "search = Search(4, 2, 3, **settings); search.reset(*arrays)")
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=30)
