"""A line imagined by a learned model: its outputs after each action, without the game."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from games.base import FloatArray, GameBatch
from muzero.model import scalar
from muzero.model.protocol import SearchError

if TYPE_CHECKING:
    from muzero.agent import Agent
    from muzero.model.learned import LearnedModel


@dataclass(frozen=True)
class Latent:
    """A model's outputs in one latent. Value and policy are those of the player to move there."""

    reward: float | None
    """of the action that led there, for the player who took it; None at the root"""
    end: float | None
    """probability that the game is over; None at the root, and if the model doesn't predict it"""
    discount: float | None
    """of that action, signed; None at the root"""
    value: float
    policy: FloatArray
    """[A] over all actions, illegal ones too"""
    decoded: FloatArray | None
    """[*O] observation: probabilities of entries that are 0 or 1, else the entries; None without a decoder"""


def dream(agent: Agent, games: GameBatch, actions: Sequence[int]) -> Iterator[Latent]:
    """The position in row 0, and the latent after each action. Raises SearchError for outputs that aren't finite."""
    model = agent.model
    obs, legal = agent.observe(games)[:1], games.legal()[:1]
    with torch.inference_mode():
        root = model.root(torch.as_tensor(obs, device=model.device), torch.as_tensor(legal, device=model.device))
        latent = root.latent
        yield _outputs(model, latent)
        for action in actions:
            before = latent
            latent, output, mover = model.advance(before, torch.tensor([action], device=model.device))
            reward, discount = model.outcome(before, latent, output, mover)
            end = torch.softmax(mover.float(), 1)[:, 0] if mover.shape[1] else None
            yield _outputs(model, latent, reward, discount, end)


def _outputs(
    model: LearnedModel, latent: Tensor, reward: Tensor | None = None, discount: Tensor | None = None,
    end: Tensor | None = None,
) -> Latent:
    """reward, discount and end [1] of the action that led to latent [1, *L]."""
    logits, output = model.predict(latent)
    found = Latent(
        reward=None if reward is None else float(reward[0]), end=None if end is None else float(end[0]),
        discount=None if discount is None else float(discount[0]),
        value=float(scalar.decode(output, model.config.value)[0]),
        policy=torch.softmax(logits.float(), 1)[0].cpu().numpy(),
        decoded=_decoded(model, latent))
    if not all(torch.isfinite(part).all() for part in (logits, output, *([] if reward is None else [reward]))):
        raise SearchError("the model's outputs are not finite: an imagined policy, value or reward is NaN or infinity")
    return found


def _decoded(model: LearnedModel, latent: Tensor) -> FloatArray | None:
    decoder = getattr(model, "decoder", None)
    if decoder is None:
        return None
    output = decoder(model.bare(latent))[0].float()
    # As in the loss: whole numbers are trained as 0 or 1 by their cross-entropy.
    entries: FloatArray = (torch.sigmoid(output) if model.spec.observation_dtype == "uint8" else output).cpu().numpy()
    return entries
