"""The process of one contestant: one line in, one line out.

    python -m peers.worker NAME SHAPE

Says {"versions": ...} once it is ready (what a search compiles or reserves only once, it has then), or
{"failed": why}. After that a line with a number asks for a turn of at least so many CPU seconds, answered with the
fields of `Spent`. It ends with its input.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from importlib.metadata import version

from peers.contestant import OWN, PEERS, Contestant, Shape, Spent


def say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def turn(contestant: Contestant, seconds: float, number: int) -> tuple[Spent, int]:
    """Searches number, number + 1 ... until the time is full; also returns the next number."""
    total = Spent(0.0, 0, 0)
    while total.cpu_seconds < seconds:
        one = contestant.search(number)
        number += 1
        total = Spent(
            total.cpu_seconds + one.cpu_seconds,
            total.simulations + one.simulations,
            total.edges + one.edges,
        )
    return total, number


def main() -> None:
    name, shape = sys.argv[1], Shape.parse(sys.argv[2])
    peer = {**PEERS, **OWN}[name]
    try:
        contestant: Contestant = importlib.import_module(peer.module).make(name, shape)
    except Exception as error:
        say({"failed": f"{type(error).__name__}: {error}"})
        raise
    say({"versions": {package: version(package) for package in peer.packages}})
    number = 1  # 0 was for getting ready
    for line in sys.stdin:
        total, number = turn(contestant, float(line), number)
        say(asdict(total))


if __name__ == "__main__":
    main()
