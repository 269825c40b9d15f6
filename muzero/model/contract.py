"""The contract test of network kinds: checks what the networks of a model say about positions, by asking them.

Raises SeamError naming the part that breaks its contract. Types and shapes are checked when a model is built.
"""

from __future__ import annotations

import torch
from torch import Tensor

from muzero.errors import SeamError
from muzero.model.learned import LearnedModel
from muzero.model.prepared import PreparedModel

TOLERANCE = 1e-3
"""How far two answers about one position may be apart, absolute and relative: sums are rounded in another order."""
MOVES = 3
"""Actions that are imagined from each position."""

Told = dict[str, Tensor]


def check_network(model: LearnedModel, obs: Tensor) -> None:
    """Check the networks of a model with weights of any values, at positions obs [B, *O] of its game, B >= 2.

    Checks that h, g and f give finite numbers; that no position influences another; that the kind's `fast` networks
    give the same. Shapes, and that nothing given is changed, were checked when the model was built.
    """
    if len(obs) < 2:
        raise SeamError(f"obs: expected at least 2 positions, got {len(obs)}")
    training = model.training
    model.eval()
    try:
        _check(model, obs)
    finally:
        model.train(training)


def _check(model: LearnedModel, obs: Tensor) -> None:
    together, kind = _told(model, obs), model.config.network
    for name, said in together.items():
        if not said.isfinite().all():
            raise SeamError(f"model.network {kind}: {name}: expected finite numbers, got NaN or infinity")
    _compare(kind, together, _told(model, obs[1:]), slice(1, None), "without the first of the positions")
    _compare(kind, together, _told(PreparedModel(model), obs), slice(None), "from its fast networks")


def _told(model: LearnedModel | PreparedModel, obs: Tensor) -> Told:
    """What the networks say about positions and the moves imagined from there, by name."""
    with torch.no_grad():
        actions = model.num_actions
        root = model.root(obs, torch.ones((len(obs), actions), dtype=torch.bool, device=obs.device))
        told, latent = {"latent of h": root.latent, "policy logits": root.logits, "value": root.value}, root.latent
        learned = model.model if isinstance(model, PreparedModel) else model
        for move in range(MOVES if learned.imagines else 0):
            step = model.step(latent, torch.full((len(obs),), move % actions, device=obs.device))
            latent = step.latent
            told |= {f"{name} after move {move + 1}": value for name, value in {
                "latent of g": latent, "reward": step.reward, "discount": step.discount, "policy logits": step.logits,
                "value": step.value,
                "policy alone": model.policy(learned.bare(latent)) if isinstance(model, PreparedModel) else step.logits,
            }.items()}
    return told


def _compare(kind: str, one: Told, other: Told, rows: slice, how: str) -> None:
    for name, said in other.items():
        if not torch.allclose(one[name][rows], said, rtol=TOLERANCE, atol=TOLERANCE):
            most = float((one[name][rows] - said).abs().max())
            raise SeamError(f"model.network {kind}: {name}: expected the same {how}, got a difference of {most:.3g}")
