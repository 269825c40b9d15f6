"""Checks on weights and observations: NaN, infinity and entries so large that the network would overflow.

Nothing behind them looks again, and what a network makes of NaN may be a confident move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

from muzero.model.networks import bounds
from muzero.model.networks.input_norm import CUT, Standardise
from muzero.model.networks.kind import Built, module_of
from muzero.model.networks.prefix import Prefix
from muzero.model.protocol import SearchError

USUAL = 1e6
"""A network must take entries up to this where no bound of them is known: far above what any sound one is given."""
BYTE = 255
MEND = "use older weights, or train with a lower learner.learning_rate or learner.clip"


class Networks(Built, Protocol):
    """What is looked at of a `LearnedModel`."""

    prefix: Prefix | None
    standard: Standardise | None

    def state_dict(self) -> dict[str, Any]: ...


def rows(model: Networks) -> dict[str, bounds.Row]:
    """The rows of layers of `bounds` by network; those that begin at a later block of it as `h.1`, `h.2`."""
    device = next(model.h.parameters()).device
    # Where a kind of network knows no bounds, h takes anything, and how large latents become isn't known either.
    found = {"h": [bounds.Row.of(1, device)], **module_of(model.config.network).bounds(model)}
    if model.prefix is not None and "g" in found:
        found["prefix"] = [bounds.memory(model.prefix, model.config.width)]
    return {f"{name}.{index}" if index else name: row for name, rows in found.items() for index, row in enumerate(rows)}


@torch.no_grad()
def reaches(model: Networks) -> Tensor:
    """The largest entry that each of the `rows` takes [R]."""
    return torch.stack([row.reach for row in rows(model).values()])


@torch.no_grad()
def needs(model: Networks) -> dict[str, float]:
    """The largest entry that each of the `rows` must take."""
    return _needs(model, rows(model))


@torch.no_grad()
def checked(model: Networks) -> Tensor:
    """The `reaches` of a model. Raises as `check_weights`."""
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


def check_weights(model: Networks, wanted: dict[str, float], found: Tensor) -> None:
    """Raises SearchError naming weights that aren't finite, or so large that numbers could leave their range.

    wanted, found: `needs` and `reaches` of the model, the latter in any number format.
    """
    if (bad := not_finite(model)) is not None:
        raise SearchError(f"the weights {bad} hold NaN or infinity: {MEND}")
    for (name, need), most in zip(wanted.items(), found.tolist(), strict=True):
        if not most >= need:
            raise SearchError(f"the weights of {name} are so large that its numbers may leave their range: entries up "
                              f"to {need:.3g} must fit, only {max(0.0, most):.3g} do: {MEND}")


def not_finite(model: Networks) -> str | None:
    """The first of the weights that holds NaN or infinity."""
    held = {name: value for name, value in model.state_dict().items() if value.is_floating_point() and value.numel()}
    sizes = torch.stack(torch._foreach_norm(list(held.values()), torch.inf)).isfinite().tolist()
    return next((name for name, sound in zip(held, sizes, strict=True) if not sound), None)


def readable(model: Networks, found: Tensor) -> float:
    """The largest entry that observations may have, by the `reaches` of the model; standardised, any."""
    known = float(found[0]) * model.spec.observation_high if model.standard is None else math.inf
    return min(known, bounds.LARGEST)


def finite(obs: Tensor) -> bool:
    """Whether observations [B, ...] hold neither NaN nor infinity. Whole numbers need no look."""
    return not obs.is_floating_point() or obs.numel() == 0 or bool(obs.abs().amax().isfinite())


def check_observations(game: str, obs: Tensor, most: float) -> None:
    """Raises SearchError naming the first of the observations [B, *O] that has an entry which isn't finite or is larger
    than `most`. Whole numbers need no look."""
    if not obs.is_floating_point() or obs.numel() == 0 or bool(obs.abs().amax() <= most):
        return
    largest = obs.abs().flatten(1).amax(1)
    row = int((~(largest <= most)).nonzero()[0])
    raise SearchError(f"the observation of row {row} has an entry of size {float(largest[row]):.4g}: game {game} must "
                      f"give finite ones, and of these its weights take up to {most:.3g}")
