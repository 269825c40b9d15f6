"""`muzero doctor`: checks of this machine and this installation."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from games.extras import installing
from games.machine import busy, cores, memory
from muzero.commands.arguments import RUNS, parse
from muzero.config import SearchConfig
from muzero.errors import MuZeroError
from muzero.evaluation.provenance import processor, versions
from muzero.view.console import FAILURE, OK, tell
from muzero.view.terminal import counted, ink, plain, unicode_ok

EXAMPLES = ("muzero doctor",)
DISK_GIB = 1.0
"""Free space below which checkpoints are at risk."""
OPTIONAL = ("ale-py",)
"""Packages of extras."""
BESIDE = 16
"""Width of the column with the name of a check."""
STONES, MOST = 7, 3
"""The game of the self-test: take 1 to 3 of 7 stones; the player who takes the last one wins. Only taking 3 wins."""
SIMULATIONS = 400


class Unfit(MuZeroError):
    """A failed check; the message says what is wrong and how to fix it."""


@dataclass(frozen=True)
class Arguments:
    """Check versions, cores, GPU and disk, and that search, network and games work. Exits 1 on failure."""


def run(argv: Sequence[str]) -> int:
    """Run all checks and print a line for each."""
    parse(Arguments, argv, "muzero doctor", EXAMPLES)
    pen, failed = ink(sys.stdout), 0
    for name, check in CHECKS.items():
        try:
            verdict, said = pen("ok  ", "green"), check()
        except Exception as error:
            # Any exception here is itself the finding.
            failed += 1
            verdict, said = pen("FAIL", "red", "bold"), f"{type(error).__name__}: {error}"
            if isinstance(error, Unfit):
                said = str(error)
        tell(f"{verdict}  {name:<10}{said}", BESIDE)
    tell(f"\n{failed} of {len(CHECKS)} checks failed" if failed else all_well(busy()))
    return FAILURE if failed else OK


def all_well(crowd: str) -> str:
    """The last line if nothing failed. crowd: who else uses the machine; empty: nobody."""
    return "\nall is well, but the machine is busy: see above" if crowd else "\nall is well"


def packages() -> str:
    """Versions; all packages must be installed except those of an extra, which has its own check."""
    found = versions()
    missing = [name for name, version in found.items() if version == "missing" and name not in OPTIONAL]
    if missing:
        raise Unfit(f"{', '.join(missing)} not installed; run `make setup`, or pip install -e .")
    return ", ".join(f"{name} {version}" for name, version in found.items() if version != "missing")


def machine() -> str:
    """Processor, the cores and memory available to this process, and whether others are using them now."""
    own, there = cores(), os.cpu_count() or 1
    of = f" of {there}" if own < there else ""
    found = f"{processor()}, {counted(own, 'core')}{of}, {memory() / 2**30:.1f} GiB of memory"
    return f"{found}; {crowd}, figures will be slow" if (crowd := busy()) else found


def gpu() -> str:
    """The GPU, if any, and that it computes correctly."""
    import torch

    if not torch.cuda.is_available():
        return "none; networks run on the processor"
    total = torch.ones(64, 64, device="cuda").matmul(torch.ones(64, 64, device="cuda")).sum().item()
    if total != 64**3:
        raise Unfit(f"{torch.cuda.get_device_name(0)} gives wrong results: {total} instead of {64**3}")
    return torch.cuda.get_device_name(0)


def disk() -> str:
    """Disk space and write permission for runs."""
    runs = RUNS.absolute()
    folder = next(place for place in (runs, *runs.parents) if os.path.lexists(place))
    free = shutil.disk_usage(folder).free / 2**30
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        fault = "can't be written" if folder.is_dir() else "is not a folder"
        raise Unfit(f"{folder} {fault}: choose another --out for runs")
    if free < DISK_GIB:
        raise Unfit(f"{folder}: expected {DISK_GIB:g} GiB free for checkpoints, got {free:.2f}")
    return f"{free:.1f} GiB free in {folder}"


def loops() -> str:
    """Where compiled loops are cached."""
    from games import compiled

    first, kept = compiled.places()[:1], compiled.FOLDER
    asked = os.environ.get(compiled.VARIABLE)
    if kept is None:
        tried = f" ({first[0]} can't be written)" if first else ""
        return (f"compiled again at each start, which takes some seconds: no writable cache folder{tried}; "
                f"set {compiled.VARIABLE}=FOLDER")
    failed = f"; {compiled.VARIABLE} {asked} can't be written" if asked and first[0] != kept else ""
    return f"cached in {kept}{failed}"


def network() -> str:
    """One learning step lowers a loss."""
    import torch

    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 1)
    inputs, target = torch.randn(32, 8), torch.zeros(32, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.mse_loss(layer(inputs), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    if not losses[1] < losses[0]:
        raise Unfit(f"a learning step didn't lower the loss ({losses}); reinstall torch")
    return f"torch learns ({torch.get_num_threads()} threads by default)"


def game_engine() -> str:
    """A random game ends as it should."""
    import games

    batch = games.make("tic_tac_toe", 1)
    moves = 0
    while batch.legal().any():
        batch.step(batch.legal().argmax(axis=1).astype(np.int32))
        moves += 1
    if moves != 7:
        raise Unfit(f"a game of tic_tac_toe took {moves} moves instead of 7; reinstall open_spiel")
    return "OpenSpiel plays"


def atari() -> str:
    """Whether Atari games (optional) can be played and filmed."""
    from importlib.util import find_spec

    extras = {"atari": ("ale_py", "gymnasium"), "video": ("av", "PIL")}
    missing = [extra for extra, modules in extras.items() if not all(map(find_spec, modules))]
    lacking = f"optional: {installing(*missing)}" if missing else ""
    if "atari" in missing:
        return f"not installed; {lacking}"
    import games

    batch = games.make("atari/pong(protocol=custom,noops=0)", 1)
    for _ in range(5):
        batch.step(np.zeros(1, np.int32))
    if not batch.observe().any():
        raise Unfit("atari/pong shows an empty screen after five moves; reinstall ale-py")
    return f"ALE plays; films: {lacking or 'yes'}"


def core() -> str:
    """The C++ search finds the only winning move of a small game, with every algorithm."""
    import cpp_mcts

    algorithms = [str(name) for name in cpp_mcts.choices()["algorithm"]]
    for algorithm in algorithms:
        take, value = solve_subtraction(algorithm)
        if take != 3 or not value > 0:
            found = f"{algorithm} takes {take} of {STONES} stones (value {value:+.2f})"
            raise Unfit(f"{found}, but only 3 wins; rebuild cpp_mcts")
    return f"takes 3 of {STONES} stones, the only win, with {' and '.join(algorithms)}"


def solve_subtraction(algorithm: str) -> tuple[int, float]:
    """Search the subtraction game: (stones to take, value for the player to move)."""
    import cpp_mcts

    config = SearchConfig(SIMULATIONS, algorithm, gumbel_scale=0.0)
    search = cpp_mcts.Search(1, MOST, SIMULATIONS, **config.tree_settings)
    flat, even = np.zeros((1, MOST), np.float32), np.zeros(1, np.float32)
    search.reset(flat, even, np.ones((1, MOST), np.bool_), np.zeros(1, np.uint64))
    left = [STONES]
    tree, slot, action = (np.zeros(1, np.int32) for _ in range(3))
    for _ in range(SIMULATIONS):
        if search.select(tree, slot, action) == 0:
            continue
        stones = left[slot[0]] - int(action[0]) - 1
        # Taking the last stone wins; taking more than there are loses.
        reward = np.array([float(stones == 0) - float(stones < 0)], np.float32)
        discount = np.array([-1.0 if stones > 0 else 0.0], np.float32)
        left += [0] * (search.simulations_done + 2 - len(left))
        left[search.simulations_done + 1] = stones
        search.expand(reward, discount, flat, even)
    visits, chosen = np.zeros((1, MOST), np.int32), np.zeros(1, np.int32)
    policy, q, value = (np.zeros(shape, np.float32) for shape in ((1, MOST), (1, MOST), 1))
    search.result(visits, policy, q, value, chosen)
    return int(chosen[0]) + 1, float(value[0])


def agents() -> str:
    """Every shipped agent loads."""
    import checkpoints
    from muzero.agent import load

    shipped = checkpoints.shipped()
    for name in shipped:
        load(str(shipped[name]))
    return ", ".join(map(checkpoints.game_in, shipped.values())) or "none shipped"


def terminal() -> str:
    """How output will look."""
    colour = "plain lines" if plain(sys.stdout) else "colour"
    return f"{colour}, {'Unicode' if unicode_ok(sys.stdout) else 'ASCII'}"


CHECKS: dict[str, Callable[[], str]] = {
    "packages": packages, "machine": machine, "gpu": gpu, "disk": disk, "search": core, "loops": loops,
    "network": network, "games": game_engine, "atari": atari, "agents": agents, "terminal": terminal,
}
