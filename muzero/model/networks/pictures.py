"""The `pixels` kind of network: pictures, halved four times before they are searched on; see `kind.NetworkModule`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from games.base import ActionLayout, GameSpec
from muzero.config import ModelConfig
from muzero.model.networks import boards, fused, pixels
from muzero.model.networks.bounds import Row
from muzero.model.networks.fused import Derived, Entries
from muzero.model.networks.kind import Built, Fast, Outputs, Parts


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    """See `kind.NetworkModule`."""
    shape = boards.planes_of(spec, config.network)
    h = pixels.Representation(
        shape, width=config.width, blocks=(config.picture_blocks, config.representation_blocks), norm=config.norm,
        latent_norm=config.latent_norm, position_bias=config.position_bias)
    # Places of the small board are no places of actions.
    return boards.over_board(spec, config, outputs, h, pixels.board(*shape[1:]), ActionLayout(), picture=True)


def fast(model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
    """See `kind.NetworkModule`."""
    assert isinstance(model.h, pixels.Representation)
    return boards.fast_over(fused.Downsampling(derived, model.h, entries("h")), model, derived, entries)


def bounds(model: Built) -> dict[str, list[Row]]:
    """See `kind.NetworkModule`."""
    h = model.h
    assert isinstance(h, pixels.Representation)
    row = Row.of(model.spec.observation_shape[0], next(h.parameters()).device)
    rows = boards.tower([row.layer(h.first)], h.towers[0])
    rows[-1].layer(h.second)
    for later in (h.towers[1], h.towers[2]):
        rows = boards.tower(rows, later)
    if h.position is not None:
        position = h.position.abs().amax((1, 2)).double()
        rows[-1].plus(torch.stack((torch.zeros_like(position), position), 1))
    return boards.bounds_over(boards.tower(rows, h.towers[3]), model)
