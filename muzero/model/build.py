"""Which of the models of this folder plays with trained weights, and what it sees of games."""

from __future__ import annotations

import torch

from games.rules import Positions
from muzero.config import ModelConfig
from muzero.model.learned import LearnedModel
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import Acting, Sight, observed
from muzero.model.rules import RulesModel, histories


def acting(model: LearnedModel, dtype: torch.dtype = torch.float32) -> Acting:
    """`model` as a search runs over it: its networks compute in `dtype`; its weights are only read."""
    prepared = PreparedModel(model, dtype)
    if model.config.dynamics == "learned":
        return prepared
    return RulesModel(prepared, Positions(model.spec.name), model.gamma)


def sight(config: ModelConfig) -> Sight:
    """What the root of such a model takes of games."""
    return observed if config.dynamics == "learned" else histories


def latent_device(config: ModelConfig, device: torch.device) -> torch.device:
    """Where positions and latents of such a model are if its networks compute on `device`."""
    return device if config.dynamics == "learned" else torch.device("cpu")
