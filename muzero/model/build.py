"""Builds models: the networks of a config, with or without weights, and the model that a search runs on."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import torch
from torch import Tensor

import games
from muzero.config import Config
from muzero.config.kinds import DYNAMICS, NETWORKS
from muzero.errors import MuZeroError
from muzero.model import border
from muzero.model.learned import LearnedModel
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import SearchError, SearchModel


class DynamicsModule(Protocol):
    """The interface of the module of a dynamics kind."""

    def search_model(self, prepared: PreparedModel) -> SearchModel:
        """The model that a search runs on, given the networks in their fast form."""


class WeightsError(MuZeroError, ValueError):
    """Weights that don't fit the config, or that can't be computed with."""


def build_model(config: Config, weights: dict[str, Tensor] | None = None) -> LearnedModel:
    """The model of a config, untrained or with `weights`.

    Raises WeightsError for weights that don't fit the config, before allocating memory for the model, and for those
    that can't be computed with.
    """
    spec = games.spec(config.game)
    if weights is None:
        return LearnedModel(spec, config.model, config.learner.gamma)
    _check_sizes(config, weights)
    with torch.device("meta"):
        expected = LearnedModel(spec, config.model, config.learner.gamma).state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        shapes = [tuple(held[name].shape) if name in held else None for held in (expected, weights)]
        if shapes[0] != shapes[1]:
            raise WeightsError(f"weights don't fit the config: {name}: expected shape {shapes[0]}, got {shapes[1]}")
    model = LearnedModel(spec, config.model, config.learner.gamma)
    model.load_state_dict(weights)
    try:
        border.checked(model)
    except SearchError as error:
        raise WeightsError(f"weights.safetensors: {error}") from error
    return model


def _check_sizes(config: Config, weights: dict[str, Tensor]) -> None:
    """Refuse sizes that these weights can't have, before building even a meta-device model, which takes time."""
    model, numbers = config.model, sum(value.numel() for value in weights.values())
    blocks = [name for name in NETWORKS[model.network].blocks
              if name != "dynamics_blocks" or DYNAMICS[model.dynamics].learned]
    limits = {**dict.fromkeys(("width", "hidden"), numbers), **dict.fromkeys(blocks, len(weights))}
    for name, limit in limits.items():
        size = getattr(model, name)
        if size > limit:
            raise WeightsError(f"weights don't fit the config: model.{name} {size:,} is impossible with "
                               f"{len(weights)} tensors of {numbers:,} numbers")


def search_model(model: LearnedModel, dtype: torch.dtype = torch.float32) -> SearchModel:
    """The search form of `model`: its networks compute in `dtype`; its weights are only read."""
    module = cast(DynamicsModule, importlib.import_module(DYNAMICS[model.config.dynamics].module))
    return module.search_model(PreparedModel(model, dtype))
