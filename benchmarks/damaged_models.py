"""Are damaged models caught by their validation, and undamaged ones trusted?

    python benchmarks/damaged_models.py [AGENT ...] [--noises 0.05 0.1 0.2 0.4] [--seeds 3] [--positions 400]
        [--simulations 200] [--json FILE]

Every weight of g, the dynamics, gets Gaussian noise: a share of the standard deviation of the weights in its array.
Printed for each agent and each noise: how many moves ahead the model is trusted, the least of the three sources of
actions; what went wrong first; and for Connect Four, what damage the noise does to play: the share of critical
positions in benchmarks/data whose value the agent keeps. All models of an agent are judged on the same games, which
the undamaged one played.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import muzero
import selfplay.strength.positions as known
from muzero.agent import Agent
from muzero.model.learned import LearnedModel
from muzero.players import SearchPlayer
from muzero.validation.depth import imagine
from muzero.validation.movers import Source
from muzero.validation.report import DepthReport, report
from muzero.validation.sample import Sample
from muzero.validation.trust import scale, trusted
from muzero.validation.validate import samples

AGENTS = ("tic_tac_toe", "connect_four", "hex(board_size=7)", "atari/pong")
POSITIONS = Path(__file__).with_name("data") / "connect_four_positions.csv"


@dataclasses.dataclass(frozen=True)
class Judged:
    """One model: what validation says of it."""

    agent: str
    noise: float
    seed: int
    depth: int
    """moves ahead for which it is trusted, by the worst source of actions"""
    measured: int
    wrong: list[str]
    drift: float
    """largest drift at the last depth, as a share of the spread of values"""
    kl: float
    """largest KL at the last depth"""
    recall: float
    """share of all rewards that were seen"""
    keep: float | None
    """critical positions kept, in percent"""


def damaged(model: LearnedModel, noise: float, seed: int) -> LearnedModel:
    """A copy with noise on the weights of g."""
    found, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    assert found.g is not None
    with torch.no_grad():
        for weights in found.g.parameters():
            if noise > 0 and weights.numel() > 1:
                weights.add_(noise * weights.std() * torch.randn(weights.shape, generator=generator))
    return found


def judge(agent: Agent, model: LearnedModel, games: dict[Source, Sample], noise: float, seed: int,
          keep: float | None) -> Judged:
    """One model on all games."""
    found = {source: report(sample, imagine(model, sample)) for source, sample in games.items()}
    worst = min((trusted(figures, agent.spec) for figures in found.values()), key=lambda one: one.depth)
    figures = list(found.values())
    return Judged(
        agent.name, noise, seed, worst.depth, worst.measured, list(worst.wrong),
        drift=max(float(one.drift[-1]) / scale(one, agent.spec) for one in figures),
        kl=max(float(one.kl[-1]) for one in figures), recall=recall(figures), keep=keep)


def recall(reports: list[DepthReport]) -> float:
    """Share of the rewards of all depths and sources that were seen."""
    seen = sum(float((np.nan_to_num(figures.recall) * figures.rewards).sum()) for figures in reports)
    total = sum(int(figures.rewards.sum()) for figures in reports)
    return seen / total if total else float("nan")


def kept(agent: Agent, model: LearnedModel, simulations: int) -> float | None:
    """Critical Connect Four positions whose value the agent keeps with this model, in percent."""
    if agent.spec.name != "connect_four" or simulations == 0:
        return None
    positions = known.read(POSITIONS, agent.spec.name)
    player = SearchPlayer(Agent(model, agent.config, agent.name, agent.step, 1, simulations))
    return known.judge(positions, known.choose(player, positions))[0].critical_keep


def measured(name: str, options: argparse.Namespace) -> Iterator[Judged]:
    """All models of an agent, the undamaged one first."""
    agent = muzero.load_agent(name)
    games = dict(samples(agent, 2 * agent.config.unroll, options.positions, options.seed, print))
    for noise in (0.0, *options.noises):
        for seed in range(1 if noise == 0 else options.seeds):
            model = damaged(agent.model, noise, seed)
            yield judge(agent, model, games, noise, seed, kept(agent, model, options.simulations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents", nargs="*", default=AGENTS)
    parser.add_argument("--noises", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.4])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--positions", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0, help="of the games")
    parser.add_argument("--simulations", type=int, default=200, help="of the positions; 0: leave them out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    for name in options.agents:
        for one in measured(name, options):
            found.append(dataclasses.asdict(one))
            print(json.dumps(found[-1]), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
