"""What in a learned model misleads the search? Its answers exchanged for true ones, one part at a time.

    python benchmarks/search_control.py AGENT [--positions FILE | --count 400] [--truth none rewards+ends rules]
        [--simulations 16 50 100] [--set c_scale=1 legality.least=0] [--transition likeliest] [--seed 0] [--json FILE]

The positions are those of a file, or drawn from all that can be reached in a game small enough to solve. The true rules
go along with the search. What they say takes the place of what the model says, as far as `--truth` names it:

    rewards   of every move, 0 past the end of a game
    ends      whether a game is over, and who moves next
    legality  no illegal move is tried at imagined positions
    latents   h of the position really reached, in place of g
    rules     all of these: AlphaZero's search with the same h and f
    none      the learned model

`--transition` reads the same weights in another way (`model.transition`). Printed are the mean distance of the root's
value from the truth, its mean (signed), and how often the move keeps the value: over all positions, and over the
critical ones. *Rise* is what the error gained over the fewest simulations, in the same positions, with its 95 %
interval.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from games import make
from games.base import FloatArray, GameBatch, IntArray
from games.exact import exact, spiel_state
from games.rules import Positions, Reached
from games.solver import Solver
from muzero.agent import Agent, load
from muzero.config import SearchConfig, replace
from muzero.evaluation.provenance import provenance
from muzero.model.build import build_model
from muzero.model.networks.kind import Encoder
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import IMPOSSIBLE, RootOutput, SearchModel, StepOutput
from muzero.model.wrapper import Wrapper
from muzero.search.planners import planner
from selfplay.strength.positions import PositionSet, judge_moves, place, read

PARTS = ("rewards", "ends", "legality", "latents")
NONE, RULES = "none", "rules"
AT_ONCE = 128
"""Positions searched at once: each takes memory for the latents of its search."""


class Rows:
    """Tensors of one shape under each other, as many as are added."""

    def __init__(self, first: Tensor) -> None:
        self._held, self._count = first.clone(), len(first)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self._held[rows]

    def add(self, more: Tensor) -> None:
        """Appends [M, ...]."""
        end = self._count + len(more)
        if end > len(self._held):
            room = self._held.new_empty((2 * end, *self._held.shape[1:]))
            room[: self._count] = self._held[: self._count]
            self._held = room
        self._held[self._count : end] = more
        self._count = end


class Control(Wrapper):
    """A `SearchModel`: a learned model with the true rules beside it. A latent is the number of an imagined position.

    The truth is known along legal moves, up to the end of a game and past it; after an illegal move the model alone
    speaks. One search at a time.
    """

    def __init__(self, learned: SearchModel, game: str, gamma: float, truth: frozenset[str]) -> None:
        """truth: of `PARTS`."""
        super().__init__(learned)
        self.gamma, self.truth = gamma, truth
        self.positions = Positions(game)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def legality(self) -> Encoder | None:
        """Imagined positions [M, 1] -> logits [M, A] of the learned model's legality head; None if it has none."""
        head: Encoder | None = getattr(self.network, "legality", None)
        return None if head is None else lambda latent: head(self._latents[latent[:, 0]])

    def view(self, games: GameBatch, obs: NDArray[Any], numbers: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """The histories [N, T] of the games of an OpenSpiel game."""
        del obs, numbers
        return games.histories()  # type: ignore[attr-defined,no-any-return]

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        """Positions after histories int [B, T]."""
        reached = self.positions.begin(obs.numpy())
        output = self.network.root(torch.from_numpy(reached.obs), legal)
        self._latents, self._handles = Rows(output.latent), Rows(torch.from_numpy(reached.handle))
        self._legal, self._over = Rows(legal), Rows(torch.zeros(len(legal), dtype=torch.bool))
        return RootOutput(torch.arange(len(legal))[:, None], output.logits, output.value)

    def step(self, latent: Tensor, action: Tensor) -> StepOutput:
        """Actions int64 [M] at imagined positions int64 [M, 1]."""
        rows = latent[:, 0]
        said = self.network.step(self._latents[rows], action)
        known, past = self._legal[rows].gather(1, action[:, None])[:, 0], self._over[rows]
        output = StepOutput(said.latent, said.reward.clone(), said.discount.clone(), said.logits.clone(),
                            said.value.clone())
        legal, over = torch.zeros(len(rows), self.num_actions, dtype=torch.bool), past.clone()
        handles = torch.full((len(rows),), -1)
        if known.any():
            reached = self.positions.move(self._handles[rows[known]].numpy(), action[known].numpy())
            going = torch.from_numpy(reached.going)
            at = known.nonzero()[:, 0]
            handles[at], over[at] = torch.from_numpy(reached.handle), ~going
            legal[at[going]] = torch.from_numpy(reached.legal)
            self._tell(output, reached, at, at[going])
        if "rewards" in self.truth:
            output.reward[past] = 0.0
        return self._kept(output, handles, legal, over)

    def _tell(self, output: StepOutput, reached: Reached, at: Tensor, going: Tensor) -> None:
        """Writes what is true into rows `at` of the output, those rows of them where the game goes on being `going`."""
        if "rewards" in self.truth:
            output.reward[at] = torch.from_numpy(reached.reward)
        if "ends" in self.truth:
            output.discount[at] = self.gamma * torch.from_numpy(reached.discount)
        if len(going) > 0 and self.truth & {"latents", "legality"}:
            legal = torch.from_numpy(reached.legal)
            if "latents" in self.truth:
                seen = self.network.root(torch.from_numpy(reached.obs), legal)
                output.latent[going], output.logits[going], output.value[going] = seen.latent, seen.logits, seen.value
            if "legality" in self.truth:
                output.logits[going] = output.logits[going].masked_fill(~legal, IMPOSSIBLE)

    def _kept(self, output: StepOutput, handles: Tensor, legal: Tensor, over: Tensor) -> StepOutput:
        """The output under numbers of its own."""
        numbers = torch.arange(len(self._latents), len(self._latents) + len(handles))[:, None]
        for rows, more in ((self._latents, output.latent), (self._handles, handles), (self._legal, legal),
                           (self._over, over)):
            rows.add(more)
        return StepOutput(numbers, output.reward, output.discount, output.logits, output.value)


@dataclasses.dataclass(frozen=True)
class Row:
    """What one search with one control does in all positions."""

    truth: str
    simulations: int
    error: float
    """mean distance of the root's value from the truth"""
    bias: float
    """mean of value - truth"""
    lost: int
    """positions in which the move loses value"""
    keep: float
    """percent of the critical positions whose value the move keeps"""
    rise: float
    """error less that of the first number of simulations above 0"""
    rise_95: float
    """half the width of its 95 % interval, over positions"""

    def __str__(self) -> str:
        return (f"{self.truth:<28} {self.simulations:>5}   value error {self.error:.4f}   bias {self.bias:+.4f}   "
                f"lose value {self.lost}   critical keep {self.keep:.2f} %   rise {self.rise:+.4f} ±{self.rise_95:.4f}")


def parts_of(name: str) -> frozenset[str]:
    """The parts that `name` asks for: `none`, `rules`, or parts with + between them. Raises SystemExit."""
    if name in (NONE, RULES):
        return frozenset(PARTS if name == RULES else ())
    found = frozenset(name.split("+"))
    if wrong := sorted(found - set(PARTS)):
        raise SystemExit(f"--truth: expected {NONE}, {RULES} or any of {', '.join(PARTS)} joined by +, got "
                         f"{wrong[0]!r}")
    return found


def solved(game: str, count: int, seed: int) -> PositionSet:
    """`count` of the positions that can be reached in a game small enough to solve, with the value of every move.

    Raises SystemExit for a larger one.
    """
    solver = exact(game)
    if not isinstance(solver, Solver):
        raise SystemExit(f"{game}: too many positions to visit them all; name a file with --positions")
    solver.value(solver.new_state())
    histories = list(solver.reachable_decisions())
    chosen = random.Random(seed).sample(histories, min(count, len(histories)))
    games = make(game, len(chosen))
    place(games, chosen)
    scores = np.full((len(chosen), games.spec.num_actions), np.nan, np.float32)
    for row in range(len(chosen)):
        for action, score in solver.move_scores(spiel_state(games, row)).items():
            scores[row, action] = score
    return PositionSet(games.spec.name, tuple(chosen), scores, solver.timed)


def searched(
    model: SearchModel, config: SearchConfig, positions: PositionSet, seed: int
) -> tuple[FloatArray, IntArray]:
    """Values [P] and moves [P] of the search; of the network alone for 0 simulations."""
    parts = [_part(model, config, positions.game, positions.histories[start : start + AT_ONCE], seed + start)
             for start in range(0, len(positions), AT_ONCE)]
    return np.concatenate([value for value, _ in parts]), np.concatenate([move for _, move in parts])


def _part(
    model: SearchModel, config: SearchConfig, game: str, histories: Sequence[tuple[int, ...]], seed: int
) -> tuple[FloatArray, IntArray]:
    games = make(game, len(histories))
    place(games, histories)
    view, legal = model.view(games, games.observe()), games.legal()
    if config.simulations == 0:
        with torch.inference_mode():
            output = model.root(torch.from_numpy(view), torch.from_numpy(legal))
        return output.value.numpy(), np.where(legal, output.logits.numpy(), -np.inf).argmax(1).astype(np.int32)
    seeds = np.arange(seed, seed + len(histories), dtype=np.uint64)
    plan = planner(model, config, len(histories)).plan(view, legal, seeds)
    return plan.value, plan.action


class Judge:
    """Compares searches of the same positions with exact values and, for each control, with its first search."""

    def __init__(self, positions: PositionSet) -> None:
        self.positions, self.best = positions, np.nanmax(positions.values, 1)
        self._first: dict[str, FloatArray] = {}

    def row(self, truth: str, simulations: int, value: FloatArray, move: IntArray) -> Row:
        """Values [P] and moves [P] of one search."""
        positions, error = self.positions, np.abs(value - self.best)
        kept = judge_moves(positions, move).lost == 0
        gained = error - (self._first.setdefault(truth, error) if simulations > 0 else error)
        return Row(truth, simulations, float(error.mean()), float((value - self.best).mean()), int((~kept).sum()),
                   float(100 * kept[positions.critical].mean()), float(gained.mean()),
                   float(1.96 * gained.std() / np.sqrt(len(gained))))


def rows(
    agent: Agent, positions: PositionSet, truths: Sequence[str], counts: Sequence[int], seed: int = 0
) -> Iterator[Row]:
    """One row for each number of simulations and each control."""
    prepared, gamma, judge = PreparedModel(agent.model), agent.model.gamma, Judge(positions)
    for count in counts:
        config = dataclasses.replace(agent.config.play, simulations=count)
        for truth in truths:
            model = Control(prepared, agent.spec.name, gamma, parts_of(truth))
            yield judge.row(truth, count, *searched(model, config, positions, seed))


def changed(agent: Agent, settings: Sequence[tuple[str, Any]]) -> Agent:
    """The agent with other settings of its search in play, by name. Raises ConfigError."""
    config = replace(agent.config, {f"play.{name}": value for name, value in settings})
    return Agent(agent.model, config, agent.name, agent.step, agent.threads)


def assigned(text: str) -> tuple[str, Any]:
    """`name=value`, the value being a number, True, False or else a word. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    with contextlib.suppress(SyntaxError, ValueError):
        return name, ast.literal_eval(value)
    return name, value


def reread(agent: Agent, transition: Literal["expected", "likeliest"]) -> Agent:
    """The agent whose outputs of g are read so. Raises ConfigError."""
    config = replace(agent.config, {"model.transition": transition})
    model = build_model(config, agent.model.state_dict())
    return Agent(model, config, agent.name, agent.step, agent.threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agent")
    parser.add_argument("--positions", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--truth", nargs="+", default=[NONE, "rewards+ends", RULES])
    parser.add_argument("--simulations", type=int, nargs="+", default=[16, 50, 100])
    parser.add_argument("--set", nargs="+", type=assigned, default=[], metavar="NAME=VALUE")
    parser.add_argument("--transition", choices=("expected", "likeliest"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agent = changed(load(arguments.agent), arguments.set)
    if arguments.transition is not None:
        agent = reread(agent, arguments.transition)
    game = agent.spec.name
    positions = (solved(game, arguments.count, arguments.seed) if arguments.positions is None
                 else read(arguments.positions, game))
    print(f"{game}: {len(positions):,} positions, {int(positions.critical.sum()):,} of them critical", flush=True)
    found: list[Row] = []
    for row in rows(agent, positions, arguments.truth, arguments.simulations, arguments.seed):
        found.append(row)
        print(row, flush=True)
    if arguments.json is not None:
        told = {"rows": [dataclasses.asdict(row) for row in found], **provenance([]), "command": sys.argv}
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
