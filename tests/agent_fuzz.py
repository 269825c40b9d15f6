"""Agents from strangers, made by changing sound ones: each must be refused in words, or work.

    python tests/agent_fuzz.py --rounds 3000 --seed 0

A process of its own makes each hundred rounds, so that a crash is seen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import games
from games.base import GameError
from muzero import agent as agents
from muzero.config import Config, ConfigError, ModelConfig, ScalarConfig, SearchConfig
from muzero.model.protocol import SearchError
from muzero.storage import agent_folder
from muzero.storage.checkpoint import CheckpointError

REFUSALS = (CheckpointError, ConfigError, GameError, SearchError)
UNCHANGEABLE = (ValueError, struct.error, LookupError, OverflowError, TypeError, AttributeError, RecursionError)
"""What a change raises of an agent that an earlier change has left in no such state."""
SHARE = 100
SIMULATIONS = 8
SMALL: dict[str, Any] = {"width": 4, "hidden": 4}
GUMBEL = SearchConfig(simulations=8)
PUCT = SearchConfig(algorithm="puct", scale="minmax", simulations=8)
BASES = [
    Config(game="tic_tac_toe", model=ModelConfig(**SMALL), play=GUMBEL),
    Config(game="tic_tac_toe", model=ModelConfig(**SMALL, network="resnet", discount="learned"), play=PUCT),
    Config(game="tic_tac_toe", model=ModelConfig(**SMALL, network="resnet", dynamics="rules"), play=PUCT),
    Config(
        game="catch", model=ModelConfig(**SMALL, prefix=2, prefix_hidden=3, reward=ScalarConfig(bins=5)), play=GUMBEL),
]
NUMBERS: list[Any] = [
    0, 1, -1, 2, 0.0, -0.0, 0.5, 1.5, 5e-324, 1e-300, 1e-30, 1e30, 1e308, -1e308, 255, 256, 65_536, 1 << 20, 1 << 31,
    1 << 40, 1 << 63, 10**30, -(1 << 63), 0.9999999999999999, 1e9, -1e9, True, False, None]
THINGS: list[Any] = ["", "x", "nan", "\x1b[31mred", "é" * 300, "a" * 5_000, [], {}, [[]], [[0.0, 1.0]], [[0, 0]],
                     {"a": 1}]
WORDS = ["gumbel", "puct", "fixed", "minmax", "siblings", "mlp", "resnet", "pixels", "rules", "learned", "layer", "rms",
         "batch", "none", "categorical", "scalar", "worst", "parent"]
GAMES = ["tic_tac_toe", "connect_four", "hex(board_size=3)", "hex(board_size=1000000000)", "go(board_size=-1)",
         "kuhn_poker", "mnk(m=128,n=128,k=9)", "catch", "catch(rows=3)", "pathfinding", "nim(pile_sizes=1;2)",
         "gym/../x", "atari/none", "os:system", "games.examples.subtraction:Subtraction", "a(b(c(d(",
         "tic_tac_toe\x1b[2J", "nfg_game(filename=x)"]
TEXTS = [b"", b"{}", b"[]", b"null", b"[" * 3_000, b'{"a":' * 3_000, b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":1e999}',
         b"9" * 5_000, b"\xff\xfe", b'"' + b"k" * 70_000 + b'"', b"[" + b"{}," * 40_000 + b"{}]"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in [(*path, key), *leaves(item, (*path, key))]]


def changed(value: Any, rng: random.Random) -> Any:
    """The value with one thing inside replaced, taken out, doubled or added."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not (ways := leaves(value)):
            return rng.choice(THINGS)
        *path, last = rng.choice(ways)
        node = value
        for key in path:
            node = node[key]
        kind = rng.random()
        if kind < 0.08:
            del node[last]
        elif kind < 0.14 and isinstance(node, dict):
            node[rng.choice(("x", "k" * 2_000, "\x1b[0m", ""))] = rng.choice(THINGS)
        else:
            node[last] = other(node[last], rng)
    return value


def other(value: Any, rng: random.Random) -> Any:
    """Something else of the same kind, mostly."""
    if rng.random() < 0.15:
        return rng.choice(THINGS)
    if isinstance(value, str):
        return rng.choice(WORDS + GAMES)
    if isinstance(value, (int, float)) and rng.random() < 0.4:
        return value * rng.choice((-1, 2, 1e-3, 1e3, 1e6)) + rng.choice((0, 1, -1))
    return rng.choice(NUMBERS)


def change_json(folder: Path, name: str, rng: random.Random) -> None:
    path = folder / name
    path.write_text(json.dumps(changed(json.loads(path.read_text()), rng)))


def change_config(folder: Path, rng: random.Random) -> None:
    change_json(folder, "config.json", rng)


def change_game(folder: Path, rng: random.Random) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"game": rng.choice(GAMES)}))


def change_search(folder: Path, rng: random.Random) -> None:
    config = json.loads((folder / "config.json").read_text())
    for name in rng.sample(sorted(config["play"]), rng.randint(1, 4)):
        config["play"][name] = other(config["play"][name], rng)
    (folder / "config.json").write_text(json.dumps(config))


def change_header(folder: Path, rng: random.Random) -> None:
    path = folder / "weights.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text = json.dumps(changed(json.loads(data[8 : 8 + length]), rng)).encode()
    path.write_bytes(struct.pack("<Q", rng.choice((len(text),) * 9 + (0, 1 << 40))) + text + data[8 + length :])


def change_weights(folder: Path, rng: random.Random) -> None:
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    count = (len(data) - 8 - length) // 4
    for _ in range(rng.choice((1, 3, 50))):
        value = rng.choice((float("nan"), float("inf"), 3e38, -3e38, 1e30, -1e30, 1e19, 1e10, -1e6, 1e-45, 0.0))
        struct.pack_into("<f", data, 8 + length + 4 * rng.randrange(count), value)
    path.write_bytes(bytes(data))


def change_bytes(folder: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(folder.iterdir()))
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 2, 10))):
        place = rng.randrange(len(data) + 1)
        data[place : place + rng.choice((0, 1, 1, 1, 8))] = rng.randbytes(rng.choice((0, 1, 1, 1, 8)))
    path.write_bytes(bytes(data))


def replace_text(folder: Path, rng: random.Random) -> None:
    name = rng.choice(("config.json", "card.json", "manifest.json", "weights.safetensors"))
    (folder / name).write_bytes(rng.choice(TEXTS))


CHANGES: list[Callable[[Path, random.Random], None]] = [
    change_config, change_config, change_search, change_search, change_game, change_header, change_weights,
    change_bytes, replace_text, lambda folder, rng: change_json(folder, "manifest.json", rng),
    lambda folder, rng: change_json(folder, "card.json", rng)]


def renew(folder: Path) -> None:
    """Let the manifest promise what is there, as far as it still is one."""
    path = folder / "manifest.json"
    try:
        promise = json.loads(path.read_bytes())
        names = [name for name in promise["files"] if (folder / name).is_file()]
        for name in names:
            data = (folder / name).read_bytes()
            promise["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        path.write_text(json.dumps(promise))
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return


def made(base: Config, folder: Path) -> Path:
    """A sound agent of a config."""
    torch.manual_seed(0)
    weights = agents.build_model(base).state_dict()
    return agent_folder.write(folder, 1, weights, base, {"game": base.game})


def use(folder: Path) -> str:
    """Load an agent and let it search: `works`, or the kind of refusal. Raises whatever is none."""
    try:
        agent = agents.load(str(folder))
        batch = games.make(agent.config.game, 2)
        result = agent.search(agent.observe(batch), batch.legal(), simulations=SIMULATIONS).result
        if not (np.isfinite(result.policy).all() and np.isfinite(result.value).all()):
            raise AssertionError("a search without a word gave numbers that are not finite")
    except REFUSALS as error:
        if not str(error).isprintable() and "\x1b" in str(error):
            raise AssertionError(f"control codes in a message: {str(error)!r}") from error
        return type(error).__name__
    return "works"


def rounds(first: int, count: int) -> dict[str, int]:
    """Rounds `first` to `first + count`: how many ended how. Raises AssertionError naming the round that went wrong."""
    torch.set_num_threads(1)
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        sound = [made(base, Path(scratch) / f"sound-{index}") for index, base in enumerate(BASES)]
        for number in range(first, first + count):
            rng = random.Random(number)
            folder = Path(shutil.copytree(rng.choice(sound), Path(scratch) / f"round-{number}"))
            for _ in range(rng.choice((1, 1, 2))):
                change = rng.choice(CHANGES)
                try:
                    change(folder, rng)
                except UNCHANGEABLE:
                    continue
            if rng.random() < 0.9:
                renew(folder)
            print(number, file=sys.stderr, flush=True)
            try:
                end = use(folder)
            except Exception as error:
                raise AssertionError(f"round {number}: {type(error).__name__}: {str(error)[:300]}") from error
            found[end] = found.get(end, 0) + 1
            shutil.rmtree(folder)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    if given.here:
        print(json.dumps(rounds(given.seed, given.rounds)))
        return 0
    total: dict[str, int] = {}
    failures = 0
    for first in range(given.seed, given.seed + given.rounds, SHARE):
        count = min(SHARE, given.seed + given.rounds - first)
        command = [sys.executable, __file__, "--here", "--seed", str(first), "--rounds", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3_600, check=False)
        if done.returncode:
            failures += 1
            print(f"rounds from {first}: exit code {done.returncode}: {done.stderr[-1500:]}", flush=True)
            continue
        for end, number in json.loads(done.stdout.splitlines()[-1]).items():
            total[end] = total.get(end, 0) + number
    print(f"{total}, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
