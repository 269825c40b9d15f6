"""A model of the subtraction game that is right in everything, or wrong in one thing: for tests of model validation.

Like `LearnedModel`, with latents [B, PILE + 3]: the pile one-hot, then depth and the reward that is still to be told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import games
from games.examples.subtraction import Subtraction
from muzero.config import ModelConfig, ScalarConfig
from muzero.model.learned import LearnedModel
from muzero.validation.continuations import Collector, Mover, Movers, Wanted
from muzero.validation.sample import Sample
from selfplay.actor import draw_legal
from selfplay.settings import SelfPlayConfig

GAME = "games.examples.subtraction:Subtraction"
PILE = Subtraction.pile_at_start
SHARP = 8.0
"""Logit of a winning or a legal action over others."""


@dataclass
class CountingModel:
    """Which of its parts is wrong, if one is."""

    late: bool = False
    """rewards are told one move late"""
    flipped: bool = False
    """values have the wrong sign at odd depths"""
    forgetful: bool = False
    """a move takes one counter more than it should"""
    goes_on: bool = False
    """no end is predicted, and a game that is over is worth something"""
    careless: bool = False
    """imagined policies think everything legal"""
    spec = games.spec(GAME)
    gamma, device, imagines = 1.0, torch.device("cpu"), True
    config = ModelConfig(value=ScalarConfig(), reward=ScalarConfig(kind="scalar"))
    legality = None
    outcome, discount = LearnedModel.outcome, LearnedModel.discount

    def encode(self, obs: Tensor) -> Tensor:
        return torch.cat((obs.float(), torch.zeros(len(obs), 2)), 1)

    def bare(self, latent: Tensor) -> Tensor:
        return latent[:, : PILE + 1]

    def advance(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pile = self.bare(latent).argmax(1)
        left = (pile - action - 1 - int(self.forgetful)).clamp(min=0)
        paid = ((pile > 0) & (left == 0)).float()
        told = latent[:, -1] if self.late else paid
        after = torch.nn.functional.one_hot(left, PILE + 1).float()
        mover = torch.stack((left == 0, torch.zeros_like(left), left > 0), 1).float() * 2 * SHARP
        reached = torch.cat((after, latent[:, -2:-1] + 1, paid[:, None]), 1)
        return reached, told[:, None], mover[:, : 0 if self.goes_on else 3]

    def reward(self, before: Tensor, after: Tensor, output: Tensor) -> Tensor:
        return output[:, 0]

    def predict(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        pile, depth = self.bare(latent).argmax(1), latent[:, -2]
        take = torch.arange(1, 4)
        legal, wins = pile[:, None] >= take, (pile[:, None] - take) % 4 == 0
        imagined = (depth > 0)[:, None] & self.careless
        logits = SHARP * ((wins & legal).float() + 2 * (legal | imagined).float())
        value = torch.where(pile % 4 == 0, -1.0, 1.0) * (pile > 0)
        value = torch.where((depth % 2 == 1) & self.flipped, -value, value) + (0.5 * self.goes_on) * (pile == 0)
        # Bins -1, 0, 1: their logarithms of probability.
        chances = torch.stack(((-value).clamp(min=0), 1 - value.abs(), value.clamp(min=0)), 1)
        return logits, chances.clamp(min=1e-30).log()


def at_random(batch: games.GameBatch, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return draw_legal(batch.legal(), rng)


def winning(batch: games.GameBatch, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The winning move, or the first one."""
    return np.maximum(0, batch.observe().argmax(1) % 4 - 1).astype(np.int32)


def continued(count: int = 60, depth: int = 6, wait: int = 100, seed: int = 0, after: Mover = winning) -> Sample:
    """A random move, then perfect ones: the return of every later position is its value."""
    wanted = Wanted(count, depth, starts=8, wait=wait)
    movers = Movers(at_random, at_random, after)
    return Collector(games.make(GAME, 8, seed), movers, wanted, SelfPlayConfig(), seed).collect(gamma=1.0)
