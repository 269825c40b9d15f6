"""The `resnet` network kind: convolutions over a board; see `kind.NetworkModule`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from games.base import ActionLayout, GameSpec
from muzero.config import ModelConfig
from muzero.errors import ConfigError
from muzero.model.networks import fused, resnet
from muzero.model.networks.bounds import Row, norm_limit
from muzero.model.networks.fused import Derived, Entries
from muzero.model.networks.kind import Built, Fast, Outputs, Parts


def planes_of(spec: GameSpec, network: str) -> tuple[int, int, int]:
    """The shape [C, H, W] of a game's observations. Raises ConfigError for other shapes."""
    shape = spec.observation_shape
    if len(shape) != 3:
        raise ConfigError(f"{spec.name}: model.network {network}: expected observations [C, H, W], got {shape}; "
                          "use mlp")
    return shape[0], shape[1], shape[2]


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    """See `kind.NetworkModule`."""
    shape = planes_of(spec, config.network)
    h = resnet.Representation(shape, width=config.width, blocks=config.representation_blocks, norm=config.norm,
                              latent_norm=config.latent_norm, position_bias=config.position_bias)
    return over_board(spec, config, outputs, h, shape[1:], spec.layout)


def over_board(
    spec: GameSpec, config: ModelConfig, outputs: Outputs, h: nn.Module, board: tuple[int, int], layout: ActionLayout,
    *, picture: bool = False,
) -> Parts:
    """`h` with g and f over latents [width, *board]. picture: whether the board comes from a picture."""
    width, hidden = config.width, config.hidden
    g = resnet.Dynamics(
        spec.num_actions, board, layout, width=width, hidden=hidden, blocks=config.dynamics_blocks,
        facts=outputs.transition, norm=config.norm, latent_norm=config.latent_norm, picture=picture,
    ) if outputs.dynamics else None
    f = resnet.Prediction(spec.num_actions, board, layout, width=width, hidden=hidden, value_units=outputs.values,
                          picture=picture)
    return Parts(h, g, f, (width, *board))


def fast(model: Built, derived: Derived, entries: Callable[[str], Entries]) -> Fast | None:
    """See `kind.NetworkModule`."""
    assert isinstance(model.h, resnet.Representation)
    return fast_over(fused.Representation(derived, model.h, entries("h")), model, derived, entries)


def fast_over(
    h: Callable[[torch.Tensor], torch.Tensor], model: Built, derived: Derived, entries: Callable[[str], Entries]
) -> Fast:
    """The fast form `h`, with the fast forms of g and f."""
    assert isinstance(model.f, resnet.Prediction)
    g = None
    if model.g is not None:
        assert isinstance(model.g, resnet.Dynamics)
        g = fused.Dynamics(derived, model.g, model.spec.num_actions, entries("g"))
    f = fused.Prediction(derived, model.f)
    return Fast(h, g, f, f.policy)


def bounds(model: Built) -> dict[str, list[Row]]:
    """See `kind.NetworkModule`."""
    h = model.h
    assert isinstance(h, resnet.Representation)
    row = Row.of(model.spec.observation_shape[0], next(h.parameters()).device)
    row.layer(h.stem, None if h.position is None else h.position.abs().amax((1, 2)))
    return bounds_over(tower([row], h.blocks), model)


def bounds_over(h: list[Row], model: Built) -> dict[str, list[Row]]:
    """The rows of h, of which the last ends at the latent, with those of f and g."""
    f, width, limit = model.f, model.config.width, norm_limit(model.h.normalise, math.prod(model.bare_shape))
    assert isinstance(f, resnet.Prediction)
    row = Row.of(width, next(f.parameters()).device)
    h[-1].limit(limit)
    found = {"h": h, "f": [head(row.fork(), f.policy), head(row.fork(), f.value)]}
    if model.g is not None:
        assert isinstance(model.g, resnet.Dynamics)
        found["g"] = _dynamics(model.g, row.fork(), limit)
    return found


def _dynamics(g: resnet.Dynamics, row: Row, limit: float | torch.Tensor) -> list[Row]:
    latent = row.columns
    if g.planes is not None:
        marks = torch.tensor([[0.0, 1.0]], dtype=latent.dtype, device=latent.device)
        row.columns = torch.cat((latent, marks.repeat(g.planes.planes, 1)))
    row.layer(g.enter, None if g.bias is None else g.bias.weight.abs().amax(0)).plus(latent)
    rows = tower([row], g.blocks)
    facts = None if g.facts is None else head(rows[-1].fork(), g.facts)
    rows[-1].limit(limit).no_further_than(facts)
    return rows


def tower(rows: list[Row], blocks: nn.Module) -> list[Row]:
    """`rows`, and those that start at later blocks."""
    for block in blocks.children():
        assert isinstance(block, resnet.Block)
        if rows[-1].blocks:
            rows = [*rows, Row.of(len(rows[-1].columns), rows[-1].columns.device)]
        before, rows[-1].blocks = rows[-1].columns, 1
        rows[-1].layer(block.first).layer(block.second).plus(before)
    return rows


def head(row: Row, module: nn.Module) -> Row:
    """`row` continued through a head of `resnet`."""
    if isinstance(module, resnet.PooledHead):
        row.layer(module.local)
        row.columns = row.columns.repeat(2, 1)
        return row.layer(module.inner).layer(module.outer)
    if isinstance(module, resnet.FlatHead):
        row.layer(module.local).repeated(module.inner.in_features // resnet.FLAT_CHANNELS)
        return row.layer(module.inner).layer(module.outer)
    assert isinstance(module, resnet.PolicyHead)
    extra = None if module.extra is None else head(row.fork(), module.extra)
    if isinstance(module.inner, nn.Sequential):
        local, inner = module.inner[0], module.inner[3]
        assert isinstance(local, nn.Conv2d)
        assert isinstance(inner, nn.Linear)
        row.layer(local).repeated(inner.in_features // local.out_channels).layer(inner).layer(module.outer)
    else:
        row.layer(module.inner).layer(module.outer)
    return row.no_further_than(extra)
