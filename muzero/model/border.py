"""Checks of weights and observations for NaN, infinity and entries so large that the network would overflow.

Nothing checks again later, and a network given NaN may return a confident move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

from muzero.model.networks import bounds
from muzero.model.networks.input_norm import CUT, Standardise
from muzero.model.networks.kind import Built, bounds_of
from muzero.model.networks.prefix import Prefix
from muzero.model.protocol import SearchError

USUAL = 1e6
"""Entries up to this must be safe if no bound is known: far above any sensible input."""
BYTE = 255
MEND = "use older weights, or train with a lower learner.learning_rate or learner.clip"


class Networks(Built, Protocol):
    """The attributes of a `LearnedModel` used here."""

    prefix: Prefix | None
    standard: Standardise | None

    def state_dict(self) -> dict[str, Any]: ...


def rows(model: Networks) -> dict[str, bounds.Row]:
    """The rows of layers of `bounds` by network; rows that start at later blocks are named `h.1`, `h.2`."""
    device = next(model.h.parameters()).device
    # Where a kind of network knows no bounds, h takes anything, and how large latents become isn't known either.
    found = {"h": [bounds.Row.of(1, device)], **bounds_of(model)}
    if model.prefix is not None and "g" in found:
        found["prefix"] = [bounds.memory(model.prefix, model.config.width)]
    return {f"{name}.{index}" if index else name: row for name, rows in found.items() for index, row in enumerate(rows)}


@torch.no_grad()
def reaches(model: Networks) -> Tensor:
    """The largest safe input entry of each of the `rows` [R]."""
    return torch.stack([row.reach for row in rows(model).values()])


@torch.no_grad()
def needs(model: Networks) -> dict[str, float]:
    """The largest input entry that must be safe for each of the `rows`."""
    return _needs(model, rows(model))


@torch.no_grad()
def checked(model: Networks) -> Tensor:
    """The `reaches` of a model. Raises what `check_weights` raises."""
    laid_out = rows(model)
    found = torch.stack([row.reach for row in laid_out.values()])
    check_weights(model, _needs(model, laid_out), found)
    return found


def _needs(model: Networks, names: Iterable[str]) -> dict[str, float]:
    return {name: _need(model, name) for name in names}


def _need(model: Networks, name: str) -> float:
    if name == "h":
        return _largest_observation(model)
    if name.startswith("f") or "." not in name:
        return bounds.latent_bound(model.h.normalise, math.prod(model.bare_shape))
    return USUAL


def _largest_observation(model: Networks) -> float:
    if model.standard is not None:
        return CUT
    return BYTE / model.spec.observation_high if model.spec.observation_dtype == "uint8" else USUAL


def check_weights(model: Networks, required: dict[str, float], found: Tensor) -> None:
    """Raises SearchError naming weights that aren't finite, or so large that activations could overflow.

    required, found: `needs` and `reaches` of the model, the latter in any number format.
    """
    if (bad := not_finite(model)) is not None:
        raise SearchError(f"the weights {bad} hold NaN or infinity: {MEND}")
    for (name, need), most in zip(required.items(), found.tolist(), strict=True):
        if not most >= need:
            raise SearchError(f"the weights of {name} are so large that its activations may overflow: expected inputs "
                              f"up to {need:.3g} to be safe, got {max(0.0, most):.3g}: {MEND}")


def not_finite(model: Networks) -> str | None:
    """The name of the first tensor of weights that holds NaN or infinity."""
    held = {name: value for name, value in model.state_dict().items() if value.is_floating_point() and value.numel()}
    sizes = torch.stack(torch._foreach_norm(list(held.values()), torch.inf)).isfinite().tolist()
    return next((name for name, sound in zip(held, sizes, strict=True) if not sound), None)


def readable(model: Networks, found: Tensor) -> float:
    """The largest entry that observations may have, by the `reaches` of the model; if standardised, any."""
    known = float(found[0]) * model.spec.observation_high if model.standard is None else math.inf
    return min(known, bounds.LARGEST)


def finite(obs: Tensor) -> bool:
    """Whether observations [B, ...] hold neither NaN nor infinity. Integers needn't be checked."""
    return not obs.is_floating_point() or obs.numel() == 0 or bool(obs.abs().amax().isfinite())


def check_observations(game: str, obs: Tensor, most: float) -> None:
    """Raises SearchError naming the first of observations [B, *O] with an entry that isn't finite or is larger than
    `most`. Integers needn't be checked."""
    if not obs.is_floating_point() or obs.numel() == 0 or bool(obs.abs().amax() <= most):
        return
    largest = obs.abs().flatten(1).amax(1)
    row = int((~(largest <= most)).nonzero()[0])
    raise SearchError(f"the observation of row {row} of game {game}: expected finite entries up to {most:.3g}, which "
                      f"these weights can take, got {float(largest[row]):.4g}")
