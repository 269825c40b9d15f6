"""Does an agent's search play better than its network's policy alone? In a game with rewards on the way.

    python benchmarks/search_gain.py RUN [--games 16] [--moves 600] [--scales 0.001 0.1 1] [--seed 5]

The search of play, noise included, with one `c_scale` after the other: how much what it found counts beside the
network's policy. At 0.001 nothing found counts, so moves are drawn from the policy alone. Printed are the moves that
gained something, those that lost something, the share of the gains with its 95 % interval (Wilson; the points of one
game follow from each other, so the truth is wider), the mean reward of a game, how many games were over, and the most
frequent actions: an agent may have settled on one.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter

import numpy as np
import torch

import games
import muzero
from muzero.agent import Agent
from selfplay.strength.statistics import wilson

MOST = 4
"""Actions that are named."""


@dataclasses.dataclass
class Tally:
    """Moves that gained and that lost something, the mean reward of a game, how many games came to their end, and how
    often each action was chosen."""

    gains: int
    losses: int
    reward: float
    over: int
    chosen: Counter[str]

    def __str__(self) -> str:
        return f"{self.points()}   {self.over} games over   " + ", ".join(
            f"{name} {count / self.chosen.total():.0%}" for name, count in self.chosen.most_common(MOST))

    def points(self) -> str:
        points = self.gains + self.losses
        if points == 0:
            return "no rewards"
        low, high = wilson(self.gains, points)
        return (f"{self.gains} gained, {self.losses} lost: {self.gains / points:.0%} ({low:.0%} to {high:.0%})   "
                f"mean reward {self.reward:.2f}")


def with_scale(agent: Agent, scale: float) -> Agent:
    """The agent whose search of play has this `c_scale`."""
    play = dataclasses.replace(agent.config.play, c_scale=scale)
    return Agent(agent.model, dataclasses.replace(agent.config, play=play), agent.name, agent.step, agent.threads)


def play(agent: Agent, count: int, moves: int, seed: int) -> Tally:
    """`count` games side by side from their start, to their end or for `moves` moves."""
    batch = games.make(agent.spec.name, count, seed)
    gains = losses = 0
    total = 0.0
    chosen: Counter[str] = Counter()
    for move in range(moves):
        live = batch.to_play() >= 0
        if not live.any():
            break
        actions = np.zeros(count, np.int32)
        actions[live] = agent.search(agent.observe(batch)[live], batch.legal()[live], seed=seed + move).result.action
        chosen.update(batch.action_name(row, int(actions[row])) for row in np.flatnonzero(live).tolist())
        reward = batch.step(actions, live).reward[live]
        gains, losses, total = gains + int((reward > 0).sum()), losses + int((reward < 0).sum()), total + reward.sum()
    return Tally(gains, losses, total / count, int((batch.to_play() < 0).sum()), chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--games", type=int, default=16)
    parser.add_argument("--moves", type=int, default=600)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.001, 0.1, 1.0])
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agent = muzero.load_agent(arguments.run)
    if agent.spec.players != 1 or agent.config.play.algorithm != "gumbel":
        raise SystemExit(f"{arguments.run}: expected an agent of a one-player game with Gumbel's search")
    for scale in arguments.scales:
        tally = play(with_scale(agent, scale), arguments.games, arguments.moves, arguments.seed)
        print(f"c_scale {scale:<6g} {tally}", flush=True)


if __name__ == "__main__":
    main()
