"""Checks of new networks: their types, and the shapes of what h, g and f say of two positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from games.base import GameSpec
from muzero.errors import SeamError
from muzero.model.networks.kind import Outputs, Parts

ROWS = 2
"""Positions that are asked about."""
Named = dict[str, tuple[int, ...]]
"""What a network gives: name -> shape of one row."""


def check_types(network: str, parts: object, outputs: Outputs) -> None:
    """Raises SeamError where `build` of a kind gave no networks."""
    where = f"model.network {network}: build"
    if not isinstance(parts, Parts):
        raise SeamError(f"{where}: expected Parts, got {type(parts).__name__}")
    for name, wanted in {"h": True, "g": outputs.dynamics, "f": True}.items():
        part = getattr(parts, name)
        if wanted and not isinstance(part, nn.Module):
            raise SeamError(f"{where}: {name}: expected a torch.nn.Module, got {type(part).__name__}")
        if not wanted and part is not None:
            raise SeamError(f"{where}: {name}: expected None where nothing is imagined, got {type(part).__name__}")
    shape = parts.latent_shape
    if not (isinstance(shape, tuple) and shape and all(type(size) is int and size > 0 for size in shape)):
        raise SeamError(f"{where}: latent_shape: expected a tuple of sizes, got {shape!r}")


def check_shapes(network: str, parts: Parts, spec: GameSpec, outputs: Outputs) -> None:
    """Ask new networks about two positions, as they are when they play. Draws no random number.

    Raises SeamError for other shapes than those that the game and `outputs` ask for, and for a network that changes
    what it is given. An outline (on the device meta) isn't asked.
    """
    weight = next(parts.h.parameters(), torch.empty(0))
    if weight.is_meta:
        return
    with torch.inference_mode(False), torch.no_grad(), _playing(parts):
        obs = torch.zeros((ROWS, *spec.observation_shape), dtype=weight.dtype, device=weight.device)
        obs.view(-1)[::2] = 1.0
        (latent,) = _ask(network, "h", parts.h, (obs,), {"latent": parts.latent_shape})
        if parts.g is not None:
            action = torch.zeros(ROWS, dtype=torch.int64, device=weight.device)
            _ask(network, "g", parts.g, (latent, action),
                 {"next latent": parts.latent_shape, "transition outputs": (outputs.transition,)})
        _ask(network, "f", parts.f, (latent,), {"policy logits": (spec.num_actions,), "values": (outputs.values,)})


@contextmanager
def _playing(parts: Parts) -> Iterator[None]:
    """The networks as they are when they play, and afterwards as they were."""
    modules = [module for part in (parts.h, parts.g, parts.f) if part is not None for module in part.modules()]
    before = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training


def _ask(network: str, name: str, part: nn.Module, given: tuple[Tensor, ...], wanted: Named) -> Sequence[Tensor]:
    """What a network gives, of the shapes `wanted`."""
    where, before = f"model.network {network}: {name}", [tensor._version for tensor in given]
    try:
        found = part(*given)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        sizes = " and ".join(str(list(tensor.shape)) for tensor in given)
        raise SeamError(f"{where}: expected it to take {sizes}, got {type(error).__name__}: {error}") from error
    if [tensor._version for tensor in given] != before:
        raise SeamError(f"{where}: expected what it is given to be only read, got it changed in place")
    told = (found,) if isinstance(found, Tensor) else found
    if not isinstance(told, tuple) or len(told) != len(wanted):
        got = f"{len(told)} of them" if isinstance(told, tuple) else type(told).__name__
        raise SeamError(f"{where}: expected {' and '.join(wanted)}, got {got}")
    for (what, row), tensor in zip(wanted.items(), told, strict=True):
        shape, dtype = (ROWS, *row), given[0].dtype
        if not isinstance(tensor, Tensor) or tensor.shape != shape or tensor.dtype != dtype:
            got = f"{tensor.dtype} {list(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
            raise SeamError(f"{where}: {what}: expected {dtype} {list(shape)}, got {got}")
    return told
