"""The tree search side by side with the peers: how many times as many edges it walks per CPU second.

The peers are installed from the package index into an environment of their own. Every contestant runs in its own
process, on one thread and all on the same core; within a round this search and a peer take turns. A stub stands in
for the network, the same for all (`peers/contestant.py` says what is counted; each adapter says how). The C++ loop is
the same core without Python: there the ratio says how much of its speed the binding leaves. OpenSpiel's MCTS plays
moves of real games and is a bystander. "same rule" is the ratio with this search set to the very rule of the peer
(`peers/own.py`), for the peers whose pUCT differs; it matters where rules dig differently deep.

    python benchmarks/peers.py
    python benchmarks/peers.py --shapes 64x200x7 --only mctx-gumbel loop-gumbel --rounds 3 --json peers.json

Exit code 1 if a peer could not take part, 2 for a wrong argument or if this search itself can't run.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from peers import table, venv
from peers.contestant import PEERS, SHAPES, Peer, Refused, Shape, choose
from peers.process import Process, pin_to_one_core, worker_command
from peers.table import Pair

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plan:
    """What to run."""

    peers: dict[str, Peer]
    shapes: list[Shape]
    rounds: int
    seconds: float  # CPU time of a turn, at least
    patience: float  # CPU seconds after which a peer gets no further turn at a shape
    deadline: float  # seconds to wait for one answer
    venv: Path


@dataclass
class Findings:
    """What came of it, so far."""

    pairs: list[Pair] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # "peer" or "peer at shape" -> why

    def of(self, shape: Shape) -> list[Pair]:
        return [pair for pair in self.pairs if pair.shape == shape]


def start(stack: ExitStack, plan: Plan, name: str, shape: Shape, loop: Path | None) -> Process:
    """Not ready yet: see Process.ready."""
    if name.startswith("loop-"):
        from peers.loop import command

        assert loop is not None
        words = command(loop, name.removeprefix("loop-"), shape)
    else:
        words = worker_command(venv.python_of(plan.venv), name, shape)
    return stack.enter_context(closing(Process(words, plan.deadline)))


def start_all(stack: ExitStack, plan: Plan, shape: Shape, loop: Path | None, found: Findings) -> dict[str, Process]:
    """This search under every rule it needs, and every peer that can run at this shape."""
    running = {}
    rules = dict.fromkeys(rule for peer in plan.peers.values() for rule in (peer.rule, peer.twin) if rule)
    for rule in rules:
        running[f"own-{rule}"] = start(stack, plan, f"own-{rule}", shape, loop)
        running[f"own-{rule}"].ready()
    for name in plan.peers:
        if name in found.failed:
            continue
        process = start(stack, plan, name, shape, loop)
        try:
            found.versions.update(process.ready())
        except Refused as error:
            found.failed[f"{name} at {shape}"] = str(error)
            continue
        running[name] = process
    return running


def play_round(plan: Plan, shape: Shape, running: dict[str, Process], found: Findings) -> None:
    """This search and each peer in turn; a peer that fails, or is over its time, is not asked again."""
    for name in [name for name in running if name in PEERS]:
        own = running[f"own-{PEERS[name].rule}"].turn(plan.seconds)
        try:
            theirs = running[name].turn(plan.seconds)
        except Refused as error:
            found.failed[f"{name} at {shape}"] = str(error)
            del running[name]
            continue
        twin = running[f"own-{PEERS[name].twin}"].turn(plan.seconds) if PEERS[name].twin else None
        found.pairs.append(Pair(shape, name, own, theirs, twin))
        if sum(pair.theirs.cpu_seconds for pair in found.of(shape) if pair.peer == name) > plan.patience:
            del running[name]


def compare(plan: Plan, shape: Shape, loop: Path | None, found: Findings) -> None:
    """All rounds at one shape."""
    with ExitStack() as stack:
        running = start_all(stack, plan, shape, loop, found)
        for number in range(plan.rounds):
            sys.stderr.write(f"{shape}: round {number + 1} of {plan.rounds}\n")
            play_round(plan, shape, running, found)


def build_loop(plan: Plan, folder: Path, found: Findings) -> Path | None:
    """The C++ loop, if it is asked for and this machine can compile it."""
    names = [name for name in plan.peers if name.startswith("loop-")]
    if not names:
        return None
    try:
        from peers.loop import compile_loop

        return compile_loop(folder)
    except (Refused, ImportError) as error:
        found.failed.update(dict.fromkeys(names, str(error)))
        return None


def run(plan: Plan) -> Findings:
    found = Findings(failed=venv.prepare(plan.venv, plan.peers))
    with tempfile.TemporaryDirectory() as folder:
        loop = build_loop(plan, Path(folder), found)
        pin_to_one_core()
        for shape in plan.shapes:
            compare(plan, shape, loop, found)
            sys.stderr.write(table.ratio_table(table.ratios(found.of(shape))) + "\n")
    return found


def report(found: Findings) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    parts = [
        f"Python {platform.python_version()}, {versions or 'no peer'}; CPU time, one thread",
        table.speed_table(table.lines(found.pairs)),
        table.ratio_table(table.ratios(found.pairs)),
    ]
    if found.failed:
        parts.append("could not take part:\n" + "\n".join(f"  {who}: {why}" for who, why in found.failed.items()))
    return "\n\n".join(parts) + "\n"


def as_json(found: Findings) -> str:
    return json.dumps(
        {
            "python": platform.python_version(),
            "versions": found.versions,
            "contestants": [asdict(line) for line in table.lines(found.pairs)],
            "ratios": [{**asdict(ratio), "verdict": ratio.verdict} for ratio in table.ratios(found.pairs)],
            "turns": [{**asdict(pair), "shape": str(pair.shape)} for pair in found.pairs],
            "failed": found.failed,
        },
        indent=1,
    )


def positive(text: str) -> float:
    number = float(text)
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return int(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), help="trees x simulations x actions: 64x200x7")
    parser.add_argument("--only", nargs="+", default=[], metavar="PEER", help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=count, default=5)
    parser.add_argument("--seconds", type=positive, default=0.3, help="CPU time of a turn, at least one search")
    help_patience = "CPU seconds after which a peer gets no further turn at a shape"
    parser.add_argument("--patience", type=positive, default=60.0, help=help_patience)
    parser.add_argument("--deadline", type=positive, default=600.0, help="seconds to wait for one answer of a peer")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-peers", help="made if it is not there")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    try:
        if args.json and not args.json.absolute().parent.is_dir():
            raise Refused(f"--json: expected a file in a folder that exists, got {args.json}")
        plan = Plan(
            choose(args.only),
            [Shape.parse(text) for text in args.shapes],
            args.rounds,
            args.seconds,
            args.patience,
            args.deadline,
            args.venv.absolute(),
        )
        found = run(plan)
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(report(found))
    if args.json:
        args.json.write_text(as_json(found) + "\n", encoding="utf-8")
    return 1 if found.failed else 0


if __name__ == "__main__":
    sys.exit(main())
