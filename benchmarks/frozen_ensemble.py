"""Ensembles made afterwards: heads with random priors, trained on the frozen networks of an agent by its own games.

The games are those of self-play as at the end of the agent's training, random openings included, but with few
simulations. Heads read latents of real positions alone, before the move they speak of. Ensembles with different
settings learn from the same batches, each by its own bootstrap masks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from games.symmetry import symmetries
from muzero.agent import Agent
from muzero.bench import sizing
from muzero.config import Config, EnsembleConfig, ReplayConfig, replace
from muzero.learning.tensors import Tensors
from muzero.model.bootstrap import Bootstrapped
from muzero.model.build import build_model
from muzero.model.imagined import Imagined
from muzero.model.learned import LearnedModel
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, draw
from muzero.training.actors import delivery, make_actor, selfplay_planner

GAMES, SIMULATIONS = 256, 8
RATE = 1e-2
"""Learning rate of Adam at the start; it falls to 0 along a cosine."""


def own_games(agent: Agent, positions: int, seed: int) -> Replay:
    """At least so many positions of games that the agent plays with itself."""
    changes = {"selfplay.games": GAMES, "search.simulations": SIMULATIONS, "train.seed": seed, "train.device": "cpu",
               "train.actors": 0}
    config = sizing.settle(replace(agent.config, changes))
    actor, planner = make_actor(config, 0), selfplay_planner(agent.model, config)
    replay = Replay(agent.spec, ReplayConfig(capacity=2 * positions, window_fraction=1.0), symmetries(config.game))
    while replay.added < positions:
        for game in delivery(actor, planner, 1.0).games:
            replay.add(game)
    return replay


def with_ensemble(agent: Agent, settings: EnsembleConfig, seed: int) -> LearnedModel:
    """The agent's networks, frozen, with a new ensemble."""
    torch.manual_seed(seed)
    config: Config = dataclasses.replace(
        agent.config, model=dataclasses.replace(agent.config.model, ensemble=settings))
    model = build_model(config).eval().requires_grad_(False)
    model.load_state_dict({**model.state_dict(), **agent.model.state_dict()})
    assert model.ensemble is not None
    model.ensemble.requires_grad_(True)
    return model


def trained(
    agent: Agent, replay: Replay, settings: Sequence[EnsembleConfig], batches: int, size: int, seed: int
) -> list[LearnedModel]:
    """The agent with each of these ensembles, after so many batches of `size` positions."""
    models = [with_ensemble(agent, one, seed) for one in settings]
    learner, rng = agent.config.learner, np.random.default_rng(seed)
    drawing = DrawConfig.of(learner, 1, 0)
    optimizer = torch.optim.Adam([weight for model in models for weight in model.parameters() if weight.requires_grad],
                                 RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    for _ in range(batches):
        data = Tensors.of(draw(replay, size, drawing, rng))
        with torch.no_grad():
            # Of these two, the losses read the first.
            latents = [agent.model.encode(data.obs)] * 2
        terms = [Bootstrapped().term(model.ensemble, Imagined(latents, data, model), learner).mean()
                 for model in models if model.ensemble is not None]
        optimizer.zero_grad()
        torch.stack(terms).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return models
