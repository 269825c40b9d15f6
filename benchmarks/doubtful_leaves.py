"""Uncertainty in search: does a search gain if it trusts the doubtful values of its leaves less?

    python -m benchmarks.doubtful_leaves AGENT FILE [--rules penalty:deviation:0.25 shrink:step:1 depth:8:0.5]
        [--simulations 200 800] [--first 1000] [--json FILE]

FILE has positions whose every move has an exact score (`benchmarks/connect_four_positions.py` makes them). A leaf's
value v, u its uncertainty, becomes

    penalty:MEASURE:x   v - x u for the root's player, whoever is to move at the leaf; x < 0 is a bonus
    shrink:MEASURE:x    v / (1 + x u)
    parent:MEASURE:x    v mixed with what the node before it says, which has the weight x u / (1 + x u)
    line:MEASURE:x      the same with the mean of all nodes before it
    depth:D:x           from D moves on: v mixed with what the node before it says, as mixed there, of weight x

MEASURE, followed by ^2 for its square:

    deviation   standard deviation of the categorical value
    step        distance of the value from that of the node before it, less the reward in between
    spread      standard deviation of the values from the root to the leaf, each summed along with the rewards before it
    ahead       `inconsistency` of `benchmarks/uncertainty.py`: seven times as many calls of the networks
    undecided   1 - |v|: no measure, but what a measure must beat
    noise       between 0 and 1, drawn from the latent: what any change of the values gains or loses by chance

All but `ahead` cost nothing. Every rule searches the same positions as the plain search, so the gain is that of pairs:
percent of critical positions whose value the move keeps, more than the plain search, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.search_control import searched
from benchmarks.uncertainty import deviation, inconsistency
from games.base import GameBatch
from muzero.agent import Agent, load
from muzero.evaluation.provenance import provenance
from muzero.model import scalar
from muzero.model.learned import LearnedModel
from muzero.model.networks.prefix import Packing
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import RootOutput, StepOutput
from selfplay.strength.positions import PositionSet, judge_moves, read

PLAIN = "plain"
NEAR_END = 0.5
"""A product of discounts smaller than this is one past an end."""
SCATTER = 7919.0
"""By which a number is multiplied until its last digits are its first."""
NORMAL = 1.96
"""Standard errors in half of a 95 % interval."""


class Line(NamedTuple):
    """What is remembered at a node of the moves from the root to it, [M] each. Values are those of the root."""

    factor: Tensor
    """product of the signed discounts: below 0 if the other player is to move"""
    total: Tensor
    """sum of the rewards"""
    said: Tensor
    """value that the node says"""
    changed: Tensor
    """the same after the rule"""
    mean: Tensor
    """of the values `said` from the root on"""
    square: Tensor
    """mean of their squares"""
    moves: Tensor

    @staticmethod
    def begun(value: Tensor) -> Line:
        """At roots of values [M]."""
        return Line(torch.ones_like(value), torch.zeros_like(value), value, value, value,
                    value * value, torch.zeros_like(value))

    def extended(self, reward: Tensor, discount: Tensor, value: Tensor) -> Line:
        """At the node after a move [M], of which the model says so."""
        factor, total = self.factor * discount, self.total + self.factor * reward
        said, moves = total + factor * value, self.moves + 1.0
        share = 1.0 / (moves + 1.0)
        return Line(factor, total, said, said, self.mean + share * (said - self.mean),
                    self.square + share * (said * said - self.square), moves)

    @property
    def spread(self) -> Tensor:
        """Standard deviation of the values."""
        return (self.square - self.mean * self.mean).clamp(min=0.0).sqrt()


class Leaf(NamedTuple):
    """What measures and rules know of leaves [M]."""

    before: Line
    line: Line
    value: Tensor
    """for the player to move there"""
    output: Tensor
    """[M, units] of the value head"""
    latent: Tensor


def noise(latent: Tensor) -> Tensor:
    """[M] numbers in [0, 1) that latents [M, *L] seem to have by chance; equal latents have equal ones."""
    return torch.frac(torch.sin(latent.flatten(1).sum(1) * SCATTER).abs() * SCATTER)


Measure = Callable[[LearnedModel, Leaf], Tensor]
MEASURES: dict[str, Measure] = {
    "deviation": lambda model, leaf: deviation(model, leaf.output),
    "step": lambda model, leaf: (leaf.line.said - leaf.before.said).abs(),
    "spread": lambda model, leaf: leaf.line.spread,
    "ahead": lambda model, leaf: inconsistency(model, leaf.latent),
    "undecided": lambda model, leaf: 1.0 - leaf.value.abs(),
    "noise": lambda model, leaf: noise(leaf.latent),
}
"""Uncertainty [M] by name."""


def penalty(leaf: Leaf, doubt: Tensor) -> Tensor:
    """Less for the root's player."""
    return leaf.line.said - doubt


def shrink(leaf: Leaf, doubt: Tensor) -> Tensor:
    """The value of the leaf nearer to 0."""
    return leaf.line.total + leaf.line.factor * leaf.value / (1.0 + doubt)


def parent(leaf: Leaf, doubt: Tensor) -> Tensor:
    """Nearer to what the node before it says."""
    return torch.lerp(leaf.line.said, leaf.before.said, doubt / (1.0 + doubt))


def mean(leaf: Leaf, doubt: Tensor) -> Tensor:
    """Nearer to the mean of all nodes before it."""
    return torch.lerp(leaf.line.said, leaf.before.mean, doubt / (1.0 + doubt))


RULES: dict[str, Callable[[Leaf, Tensor], Tensor]] = {"penalty": penalty, "shrink": shrink, "parent": parent,
                                                      "line": mean}
"""The value for the root [M] of doubtful leaves, by name."""
Rule = Callable[[LearnedModel, Leaf], Tensor]
"""The value for the root [M]."""


def by_measure(change: Callable[[Leaf, Tensor], Tensor], measure: Measure, power: int, factor: float) -> Rule:
    """A rule that doubts a leaf by factor * measure ** power."""
    return lambda model, leaf: change(leaf, factor * measure(model, leaf) ** power)


def by_depth(trusted: int, share: float) -> Rule:
    """A rule that mixes in the node before it with this share, from so many moves on."""
    return lambda model, leaf: torch.lerp(leaf.line.said, leaf.before.changed, share * (leaf.line.moves >= trusted))


def rule(name: str) -> Rule:
    """The rule of this name. Raises SystemExit if there is none."""
    kind, *words = name.split(":")
    try:
        if kind == PLAIN and not words:
            return lambda model, leaf: leaf.line.said
        if kind == "depth":
            return by_depth(int(words[0]), float(words[1]))
        measure, squared, power = words[0].partition("^")
        return by_measure(RULES[kind], MEASURES[measure], int(power) if squared else 1, float(words[1]))
    except (KeyError, IndexError, ValueError):
        raise SystemExit(f"--rules: expected {PLAIN}, depth:MOVES:SHARE or one of {', '.join(RULES)} with one of "
                         f"{', '.join(MEASURES)} and a number, such as penalty:deviation:0.25, got {name!r}") from None


class Doubtful:
    """A `SearchModel`: a learned model, the values of whose nodes a rule changes. What the rule has to know of the
    moves before a node travels in its latent."""

    def __init__(self, inner: PreparedModel, changed: Rule) -> None:
        self.inner, self.changed = inner, changed
        self.num_actions, self.players = inner.num_actions, inner.players
        self.packing = Packing(inner.model.latent_shape, len(Line._fields))

    @property
    def device(self) -> torch.device:
        return self.inner.device

    @property
    def dtype(self) -> torch.dtype:
        return self.inner.dtype

    def refresh(self) -> None:
        """See `SearchModel`."""
        self.inner.refresh()

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """See `SearchModel`."""
        return self.inner.view(games, obs, numbers)

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """See `Model`; a root's own value stays as it is."""
        found = self.inner.root(obs, legal)
        memory = torch.stack(Line.begun(found.value), 1)
        return RootOutput(self.packing.pack(found.latent, memory), found.logits, found.value)

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """See `Model`."""
        model, bare = self.inner.model, self.packing.latent(latent)
        if model.spatial:
            bare = bare.contiguous(memory_format=torch.channels_last)
        reached, output, mover = model.moved(self.inner.g, self.inner.prefix, bare, action)
        logits, head = self.inner.f(model.bare(reached))
        reward, discount = model.outcome(bare, reached, output, mover)
        value = scalar.decode(head, model.config.value)
        before = Line(*self.packing.memory(latent).unbind(1))
        leaf = Leaf(before, before.extended(reward, discount, value), value, head, reached)
        changed = self.changed(model, leaf)
        memory = torch.stack(leaf.line._replace(changed=changed), 1)
        return StepOutput(self.packing.pack(reached, memory), reward, discount, logits.float(),
                          self._told(leaf, changed))

    def _told(self, leaf: Leaf, changed: Tensor) -> Tensor:
        """The value [M] for the player to move that makes the root's value `changed`; past an end, the model's."""
        config, going = self.inner.model.config.value, leaf.line.factor.abs() >= NEAR_END
        value = (changed - leaf.line.total) / torch.where(going, leaf.line.factor, 1.0)
        return torch.where(going, value.clamp(*config.reach), leaf.value)


@dataclasses.dataclass(frozen=True)
class Row:
    """What one rule does in all positions."""

    rule: str
    simulations: int
    error: float
    """mean distance of the root's value from the truth"""
    keep: float
    """percent of the critical positions whose value the move keeps"""
    gain: float
    """percent more than with the plain search"""
    interval: float
    """half of the gain's 95 % interval"""
    better: int
    """critical positions kept that the plain search loses"""
    worse: int
    """the other way around"""

    def __str__(self) -> str:
        return (f"{self.rule:<26} {self.simulations:>5}   keep {self.keep:.2f} %   gain {self.gain:+.2f} +- "
                f"{self.interval:.2f} ({self.better} better, {self.worse} worse)   value error {self.error:.4f}")


def compared(
    name: str, simulations: int, positions: PositionSet, value: NDArray[np.float32], good: NDArray[np.bool_],
    plain: NDArray[np.bool_],
) -> Row:
    """Values [P] and kept positions [P] of a rule beside those that the plain search keeps."""
    critical = positions.critical
    pairs = good[critical].astype(np.float64) - plain[critical]
    error = np.abs(value - np.nanmax(positions.values, 1)).mean()
    return Row(name, simulations, float(error), float(100 * good[critical].mean()), float(100 * pairs.mean()),
               float(100 * NORMAL * pairs.std() / len(pairs) ** 0.5), int((pairs > 0).sum()), int((pairs < 0).sum()))


def rows(agent: Agent, positions: PositionSet, names: Sequence[str], counts: Sequence[int]) -> Iterator[Row]:
    """A row for each number of simulations and each rule, the plain search first."""
    prepared = PreparedModel(agent.model)
    for count in counts:
        config = dataclasses.replace(agent.config.play, simulations=count)
        plain: NDArray[np.bool_] | None = None
        for name in (PLAIN, *(name for name in names if name != PLAIN)):
            value, move = searched(Doubtful(prepared, rule(name)), config, positions, 0)
            good = judge_moves(positions, move).lost == 0
            plain = good if plain is None else plain
            yield compared(name, count, positions, value, good, plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agent")
    parser.add_argument("positions", type=Path)
    parser.add_argument("--rules", nargs="+", default=["penalty:deviation:0.25", "shrink:step:1", "depth:8:0.5"])
    parser.add_argument("--simulations", type=int, nargs="+", default=[200, 800])
    parser.add_argument("--first", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agent = load(arguments.agent)
    every, first = read(arguments.positions, agent.spec.name), slice(arguments.first)
    positions = dataclasses.replace(every, histories=every.histories[first], scores=every.scores[first])
    print(f"{positions.game}: {len(positions):,} positions, {int(positions.critical.sum()):,} of them critical")
    found: list[Row] = []
    for row in rows(agent, positions, arguments.rules, arguments.simulations):
        found.append(row)
        print(row, flush=True)
    if arguments.json is not None:
        told = {"rows": [dataclasses.asdict(row) for row in found], **provenance([]), "command": sys.argv}
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
