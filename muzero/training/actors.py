"""Actors of a run: their games and random generators, network and planner, and deliveries."""

from __future__ import annotations

import numpy as np

import games
from muzero.config import Config, check_resolved
from muzero.device import precision
from muzero.device.select import device_of
from muzero.model.build import build_model, search_model
from muzero.model.learned import LearnedModel
from muzero.model.member import member_model
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import SearchModel
from muzero.search.planners import ModelPlanner, planner
from muzero.training.source import Delivery
from selfplay.actor import Actor, Counters
from selfplay.planner import Planner


def make_actor(config: Config, index: int, start: int = 0) -> Actor:
    """Actor `index` of a run that starts or resumes at learning step `start`: its games and random generator."""
    check_resolved(config)
    seed = np.random.SeedSequence([config.train.seed, index, start]).generate_state(2)
    batch = games.make(config.game, config.selfplay.games, int(seed[0]))
    return Actor(batch, config.selfplay, int(seed[1]), numbered=config.held_out.fraction > 0 or follows_members(config))


def delivery(actor: Actor, planner: Planner | None, progress: float) -> Delivery:
    """Play one move in every game of `actor`; see `Actor.play`."""
    before = Counters(**vars(actor.counters))
    finished = actor.play(planner, progress)
    done = actor.counters
    return Delivery(finished, done.moves - before.moves, done.simulations - before.simulations, actor.returns,
                    actor.cut)


def selfplay_network(config: Config) -> LearnedModel:
    """The network of an actor, on its device."""
    return build_model(config).eval().requires_grad_(False).to(device_of(config.train.device))


def selfplay_planner(network: LearnedModel, config: Config) -> ModelPlanner:
    """The planner for `selfplay.games` games with `network`, in the number format of self-play."""
    return planner(playing(for_selfplay(network, config)), config.search, config.selfplay.games)


def follows_members(config: Config) -> bool:
    """Whether each game of self-play is searched with one member of an ensemble."""
    return config.model.ensemble.members > 0 and config.model.ensemble.plays


def playing(model: SearchModel) -> SearchModel:
    """What games are searched with: a member for each, if the networks have an ensemble that plays."""
    if isinstance(model, PreparedModel) and model.model.ensemble is not None and model.model.config.ensemble.plays:
        return member_model(model, model.model.ensemble)
    return model


def for_selfplay(network: LearnedModel, config: Config) -> SearchModel:
    """The search form of `network` for self-play and reanalysis."""
    dtype = precision.for_search(config.train.precision, network.kind.spatial, network.device)
    return search_model(network, dtype)
